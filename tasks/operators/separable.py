"""Operators that act on rows and columns apart: resizing and Gaussian blur, whatever their borders."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from dsg.types import Image
from tasks.operators.constant import Constant
from tasks.operators.spectral import SpectralOperator


class Separable(SpectralOperator):
    """A X = L X Rᵀ for every channel X, with small dense matrices.

    With L = U₁ diag(s) V₁ᵀ and R = U₂ diag(t) V₂ᵀ (computed in float64 when first needed), A = U diag(s ⊗ t) Vᵀ where
    U C = U₁ C U₂ᵀ and V C = V₁ C V₂ᵀ.

    Args:
        left: L, (h,H) with h ≤ H, float64: along the height.
        right: R, (w,W) with w ≤ W, float64: along the width.
        device: where the images will be.
    """

    def __init__(self, left: Tensor, right: Tensor, device: torch.device | str = "cpu") -> None:
        self.device = device
        self._left, self._right = Constant(left, device), Constant(right, device)

    def forward(self, x: Image) -> Tensor:
        return _both(self._left.like(x), x, self._right.like(x).mT)

    def adjoint(self, y: Tensor) -> Image:
        return _both(self._left.like(y).mT, y, self._right.like(y))

    @cached_property
    def _svd(self) -> tuple[list[Constant], list[Constant]]:
        """(U₁, s, V₁ᵀ) and (U₂, t, V₂ᵀ)."""
        left, right = (torch.linalg.svd(m.value, full_matrices=False) for m in (self._left, self._right))
        return [Constant(f, self.device) for f in left], [Constant(f, self.device) for f in right]

    def singular_values(self, like: Tensor) -> Tensor:
        (_, s, _), (_, t, _) = self._svd
        return s.like(like)[:, None] * t.like(like)

    def u(self, coefficients: Tensor) -> Tensor:
        u1, u2 = (factors[0].like(coefficients) for factors in self._svd)
        return _both(u1, coefficients, u2.mT)

    def u_adjoint(self, y: Tensor) -> Tensor:
        u1, u2 = (factors[0].like(y) for factors in self._svd)
        return _both(u1.mT, y, u2)

    def v(self, coefficients: Tensor) -> Image:
        v1t, v2t = (factors[2].like(coefficients) for factors in self._svd)
        return _both(v1t.mT, coefficients, v2t)

    def v_adjoint(self, x: Image) -> Tensor:
        v1t, v2t = (factors[2].like(x) for factors in self._svd)
        return _both(v1t, x, v2t.mT)


def _both(left: Tensor, x: Tensor, right: Tensor) -> Tensor:
    """left · x · right for every sample and channel of x, (B,C,H,W)."""
    return torch.matmul(left, torch.matmul(x, right))
