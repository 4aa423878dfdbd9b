"""Colourisation: only a grey picture is observed."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.types import Image
from tasks.base import InverseProblem
from tasks.noise import MeasurementNoise
from tasks.operators.constant import Constant
from tasks.operators.spectral import SpectralOperator
from tasks.shape import height_and_width

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue give to the brightness of a picture (ITU-R BT.601)."""


class Colourisation(InverseProblem):
    """y = Σ_c w_c x_c + noise, (B,1,H,W): the brightness of every pixel, in [−1, 1] before the noise.

    Args:
        weights: `mean`, w_c = 1/C for every channel (Wang et al. 2023, 2212.00490, table 1), or `luma`, the weights of
            a television's grey picture, for images of three channels.
        noise: what is added to the grey picture; Gaussian with σ_y = 0.05 on [−1, 1] by default.

    Raises:
        UserError: for other weights, or luma of images that have not three channels.
    """

    def __init__(self, weights: Literal["mean", "luma"] = "mean", noise: MeasurementNoise | None = None) -> None:
        super().__init__(noise)
        if weights not in ("mean", "luma"):
            raise UserError(f"Colourisation: weights must be mean or luma, got {weights}")
        self.weights = weights

    def check(self, shape: tuple[int, ...]) -> None:
        height_and_width(shape, "Colourisation")
        if self.weights == "luma" and shape[0] != len(LUMA):
            raise UserError(f"Colourisation: luma weighs 3 channels, and the images have {shape[0]}; set weights: mean")

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> ChannelSum:
        self.check(shape)
        weights = [1 / shape[0]] * shape[0] if self.weights == "mean" else LUMA
        return ChannelSum(torch.tensor(weights, dtype=torch.float64), streams.device)


class ChannelSum(SpectralOperator):
    """A x = Σ_c w_c x_c, with one singular value, s = ‖w‖: U = I and V c = w/‖w‖ ⊗ c.

    Args:
        weights: w, (C,), float64, not all zero.
        device: where the images will be.
    """

    def __init__(self, weights: Tensor, device: torch.device | str = "cpu") -> None:
        column = weights[:, None, None]
        self._weights, self._unit = Constant(column, device), Constant(column / column.norm(), device)
        self._norm = Constant(column.norm().reshape(1, 1), device)

    def forward(self, x: Image) -> Tensor:
        return (self._weights.like(x) * x).sum(dim=1, keepdim=True)

    def adjoint(self, y: Tensor) -> Image:
        return self._weights.like(y) * y

    def singular_values(self, like: Tensor) -> Tensor:
        return self._norm.like(like)

    def u(self, coefficients: Tensor, /) -> Tensor:
        return coefficients

    u_adjoint = u

    def v(self, coefficients: Tensor, /) -> Image:
        return self._unit.like(coefficients) * coefficients

    def v_adjoint(self, x: Image, /) -> Tensor:
        return (self._unit.like(x) * x).sum(dim=1, keepdim=True)
