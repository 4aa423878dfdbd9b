"""A network that somebody published: its file of weights, and what its authors do to a picture first."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from dsg.models.checkpoint import load_exactly
from dsg.models.weights import TellsWeights
from tasks.features.preparation import Preparation, Prepared


class Published(TellsWeights, Prepared):
    """A frozen network with published weights: images in [−1, 1], (B,C,H,W) → features (B, ...).

    Args:
        network: has the published names.
        checkpoint: state dict (.safetensors, or .pt and .pth without code); prefixes of trainings are seen through.
        published: what its authors do to a picture.
        prepare: is done instead, where it is not null.

    Raises:
        UserError: if the file cannot be read, or has weights of another network: names the first that disagree.
    """

    def __init__(
        self,
        network: nn.Module,
        checkpoint: str,
        published: Sequence[Preparation],
        prepare: Sequence[Preparation] | None = None,
    ) -> None:
        super().__init__(network, published if prepare is None else prepare)
        self.weight_files = load_exactly(network, checkpoint)
        self.eval().requires_grad_(False)
