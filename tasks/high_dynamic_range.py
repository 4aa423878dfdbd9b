"""High dynamic range: what is too bright or too dark is clipped."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.types import Image, PerSample
from tasks.base import InverseProblem
from tasks.noise import MeasurementNoise
from tasks.operators import Operator


class HighDynamicRange(InverseProblem):
    """y = clip(scale·x + offset, −1, 1) + noise, for states of any shape (Mardani et al. 2024, 2305.04391).

    With offset 0 the highlights and the shadows are lost; with offset = scale − 1 the image on [0, 1] is multiplied by
    `scale`, as an exposure that is too long does, and the highlights alone are lost.

    Args:
        scale: above 0; 2 as published.
        offset: what is added before the clipping.
        straight_through: let the gradient of the loss pass through the clipping as if it were not there. Otherwise it
            is 0 where the estimate is clipped, also where y says that it should not be.
        noise: what is added to the clipped image; Gaussian with σ_y = 0.05 on [−1, 1] by default.

    Raises:
        UserError: for a scale that is not above 0, or numbers that are not finite.
    """

    def __init__(
        self,
        scale: float = 2.0,
        offset: float = 0.0,
        straight_through: bool = False,
        noise: MeasurementNoise | None = None,
    ) -> None:
        super().__init__(noise)
        if not 0 < scale < math.inf:
            raise UserError(f"HighDynamicRange: scale must be above 0 and finite, got {scale}")
        if not math.isfinite(offset):
            raise UserError(f"HighDynamicRange: offset must be finite, got {offset}")
        self.scale, self.offset, self.straight_through = scale, offset, straight_through

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Clip:
        return Clip(self.scale, self.offset, self.straight_through)


class Clip(Operator):
    """A(x) = clip(scale·x + offset, −1, 1); see HighDynamicRange for its gradient."""

    def __init__(self, scale: float, offset: float, straight_through: bool) -> None:
        self.scale, self.offset, self.straight_through = scale, offset, straight_through

    def forward(self, x: Image) -> Tensor:
        exposed = self.scale * x + self.offset
        return clamp_straight_through(exposed) if self.straight_through else exposed.clamp(-1, 1)

    def norm(self, y: Tensor) -> PerSample:
        """`scale`, for where nothing is clipped that is what stretches."""
        return y.new_full((len(y),), self.scale)


def clamp_straight_through(x: Tensor) -> Tensor:
    """clip(x, −1, 1), with the gradient of x itself."""
    return torch.clamp(x.detach(), -1, 1) + (x - x.detach())
