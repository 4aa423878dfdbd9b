"""Super-resolution: only a smaller image is observed."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.types import Image
from tasks.base import InverseProblem, Measurement
from tasks.noise import MeasurementNoise
from tasks.operators.borders import mirrored_matrix
from tasks.operators.separable import Separable
from tasks.shape import height_and_width


class SuperResolution(InverseProblem):
    """y = A x + noise, where A shrinks by a whole factor with the antialiased bicubic filter (see bicubic_matrix).

    y is (B,C,H/factor,W/factor).

    Args:
        factor: 2, 4 or 8; must divide the height and the width.
        noise: what is added to the small image; Gaussian with σ_y = 0.05 on [−1, 1] by default.

    Raises:
        UserError: for another factor, or images that it does not divide.
    """

    def __init__(self, factor: Literal[2, 4, 8] = 4, noise: MeasurementNoise | None = None) -> None:
        super().__init__(noise)
        if factor not in (2, 4, 8):
            raise UserError(f"SuperResolution: factor must be 2, 4 or 8, got {factor}")
        self.factor = factor
        self._operators: dict[tuple, Separable] = {}

    def check(self, shape: tuple[int, ...]) -> None:
        height, width = height_and_width(shape, "SuperResolution")
        if height % self.factor or width % self.factor:
            raise UserError(
                f"SuperResolution: factor {self.factor} does not divide images of {height}x{width}: "
                "choose another factor, or crop or resize the images"
            )

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Separable:
        key = (*shape[-2:], streams.device)
        if key not in self._operators:
            self.check(shape)
            matrices = (bicubic_matrix(size, self.factor) for size in shape[-2:])
            self._operators[key] = Separable(*matrices, device=streams.device)
        return self._operators[key]

    def picture(self, measurement: Measurement) -> Image:
        """y with every pixel repeated, at the size of the image."""
        y = measurement.y.clamp(-1, 1)
        return y.repeat_interleave(self.factor, -2).repeat_interleave(self.factor, -1)


def bicubic_matrix(size: int, factor: int) -> Tensor:
    """D with D x the 1-D signal x shrunk by `factor`, (size/factor, size), float64:

        (D x)_i = Σ_j h((c_i − j)/f) x_j / Σ_j h((c_i − j)/f),    c_i = f (i + ½) − ½

    h is Keys' cubic, stretched by f against aliasing; outside, the signal is mirrored with its edge pixel repeated
    (MATLAB's imresize).
    """
    centres = factor * (torch.arange(size // factor, dtype=torch.float64) + 0.5) - 0.5
    near = torch.arange(-2 * factor, 2 * factor + 1)
    offsets = centres.round().long()[:, None] + near
    weights = keys_cubic((centres[:, None] - offsets) / factor)
    return mirrored_matrix(offsets, weights / weights.sum(dim=1, keepdim=True), size, repeat_edge=True)


def keys_cubic(u: Tensor) -> Tensor:
    """Keys' cubic convolution kernel with a = −½ (Keys 1981), zero for |u| ≥ 2."""
    a, u = -0.5, u.abs()
    inner = (a + 2) * u**3 - (a + 3) * u**2 + 1
    outer = a * (u**3 - 5 * u**2 + 8 * u - 4)
    return torch.where(u <= 1, inner, torch.where(u < 2, outer, 0))
