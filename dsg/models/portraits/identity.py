"""Who a portrait shows, whatever the pose, expression, light and place: an embedding of people."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize

from dsg.models.portraits.layers import pooled_body, strided_body
from dsg.models.portraits.twin import Role, Twin

DIMENSION = 64


class PortraitsIdentity(Twin):
    """Images (B,3,64,64) in [−1, 1] → unit vectors (B,64), whose cosine tells whether two portraits show one person.

    Trained so that pictures of one index in two variations agree and pictures of others do not, by the contrastive loss
    of van den Oord et al. 2018 (1807.03748, eq. 4). Two people who look the same are one to it.
    """

    kind = "identity"

    @staticmethod
    def build(role: Role) -> nn.Module:
        return Embedding(role)


class Embedding(nn.Module):
    """Images → unit vectors. `raw` are they before they are normalised."""

    def __init__(self, role: Role, dimension: int = DIMENSION) -> None:
        super().__init__()
        body, width = (strided_body(), 64) if role == "guide" else (pooled_body(56, 80), 80)
        self.raw = nn.Sequential(body, nn.Flatten(), nn.Linear(16 * width, dimension))

    def forward(self, images: Tensor) -> Tensor:
        return normalize(self.raw(images).float(), dim=1)
