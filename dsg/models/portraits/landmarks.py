"""Where the eyes, brows, nose, mouth and chin of a portrait are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dsg.data.portraits import LANDMARKS
from dsg.models.portraits.layers import Conv, pooled_body
from dsg.models.portraits.twin import Role, Twin

CELL = 4  # pixels a side of what the guide's maps tell apart


class PortraitsLandmarks(Twin):
    """Images (B,3,64,64) in [−1, 1] → nine points (B,18), x and y in turn, in pixels whose centres are whole numbers.

    The points are `dsg.data.portraits.LANDMARKS`, in their order; `points.view(-1, 9, 2)` is as `Portrait.landmarks`.
    """

    kind = "landmarks"

    @staticmethod
    def build(role: Role) -> nn.Module:
        return Maps() if role == "guide" else Coordinates()


class Maps(nn.Module):
    """A map of chances at 16×16 for each point, and its mean place (Sun et al. 2018): smooth, below a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.at_16 = nn.Sequential(Conv(3, 24, "silu", 2, 5), Conv(24, 48, "silu", 2), Conv(48, 48, "silu"))
        self.at_8 = nn.Sequential(Conv(48, 80, "silu", 2), Conv(80, 80, "silu"), Conv(80, 80, "silu"))
        self.maps = nn.Sequential(Conv(80 + 48, 64, "silu"), nn.Conv2d(64, len(LANDMARKS), 1))

    def forward(self, images: Tensor) -> Tensor:
        at_16 = self.at_16(images)
        wide = interpolate(self.at_8(at_16), scale_factor=2, mode="bilinear")
        chances = self.maps(torch.cat([wide, at_16], 1)).float().flatten(2).softmax(2).unflatten(2, (16, 16))
        places = CELL * torch.arange(16, device=images.device, dtype=chances.dtype) + (CELL - 1) / 2
        x, y = (chances.sum(2) * places).sum(2), (chances.sum(3) * places).sum(2)
        return torch.stack([x, y], 2).flatten(1)


class Coordinates(nn.Module):
    """The numbers themselves, from all places at once."""

    def __init__(self) -> None:
        super().__init__()
        self.body = pooled_body()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(16 * 64, 64), nn.ReLU(), nn.Linear(64, 2 * len(LANDMARKS)))

    def forward(self, images: Tensor) -> Tensor:
        return 31.5 + 16 * self.head(self.body(images)).float()
