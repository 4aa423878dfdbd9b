"""Operators that keep or drop pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.types import Image
from tasks.operators.spectral import SpectralOperator


class Mask(SpectralOperator):
    """A x = m ⊙ x; its own adjoint and pseudo-inverse.

    Args:
        mask: m, (B,1,H,W), 1 where a pixel is observed and 0 where it is dropped.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def forward(self, x: Image) -> Tensor:
        return self.mask * x

    def adjoint(self, y: Tensor) -> Image:
        return self.mask * y

    def parameters(self) -> dict[str, Tensor]:
        return {"mask": self.mask}

    def singular_values(self, like: Tensor) -> Tensor:
        return self.mask.to(like)

    def u(self, coefficients: Tensor, /) -> Tensor:
        return coefficients

    u_adjoint = v = v_adjoint = u


class Identity(Mask):
    """A x = x: the mask that drops nothing."""

    def __init__(self) -> None:
        super().__init__(torch.ones(1, 1))

    def forward(self, x: Image) -> Tensor:
        return x

    def adjoint(self, y: Tensor) -> Image:
        return y

    def parameters(self) -> dict[str, Tensor]:
        return {}

    def singular_values(self, like: Tensor) -> Tensor:
        return like.new_ones(1, 1)
