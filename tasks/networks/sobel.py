"""A line drawing by a fixed formula: where the brightness changes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dsg.errors import UserError
from dsg.types import Image

_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601
_FLAT = 1e-4  # of m², so that the gradient is finite where nothing changes


class SobelSketch(nn.Module):
    """Images (B,C,H,W) in [−1, 1] → drawings (B,1,H,W) in (−1, 1), dark lines on white paper. It has no weights.

        s = 1 − 2 sigmoid((m − τ)/w),   m = √(g_x² + g_y² + 10⁻⁴)

    with g the Sobel filters' answers to the brightness, in units of a step from black to white, borders repeated.

    Args:
        threshold: τ > 0, of a line.
        softness: w > 0; the smaller, the harder the line and the shorter the reach of its gradient.

    Raises:
        UserError: for values outside these ranges.
    """

    def __init__(self, threshold: float = 0.25, softness: float = 0.08) -> None:
        super().__init__()
        if threshold <= 0 or softness <= 0:
            raise UserError(f"threshold, softness: must be above 0, got {threshold} and {softness}")
        self.threshold, self.softness = threshold, softness

    def forward(self, images: Image) -> Tensor:
        weights = images.new_tensor(_LUMA if images.shape[1] == 3 else [1.0 / images.shape[1]] * images.shape[1])
        brightness = (images * weights[:, None, None]).sum(1, keepdim=True)
        across = (
            images.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
        )  # −1 to 1 is a whole step
        change = functional.conv2d(
            functional.pad(brightness, (1, 1, 1, 1), mode="replicate"), torch.stack([across, across.T])[:, None]
        )
        magnitude = (change.square().sum(1, keepdim=True) + _FLAT).sqrt()
        return 1 - 2 * torch.sigmoid((magnitude - self.threshold) / self.softness)
