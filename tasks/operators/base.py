"""Measurement operators with a batch's parameters bound: what is applied to images, and its linear algebra."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from dsg.types import Image, PerSample
from tasks.operators.conjugate_gradient import conjugate_gradients
from tasks.operators.power_iteration import largest_singular_value


class Operator(ABC):
    """A: images → measurements. Differentiable."""

    @abstractmethod
    def forward(self, x: Image) -> Tensor:
        """A(x), (B,C,H,W) → (B, ...)."""

    def parameters(self) -> dict[str, Tensor]:
        """The tensors that were drawn for this batch (`mask`, `kernel`), (B, ...) each, for saving and showing."""
        return {}

    def norm(self, y: Tensor) -> PerSample:
        """‖A‖, the most that A stretches a difference of images: ‖A(a) − A(b)‖ ≤ ‖A‖ ‖a − b‖, (B,).

        1 unless an operator says otherwise: one that is not linear and stretches more has to.

        Args:
            y: (B, ...), a measurement, for its shape, precision and device alone.
        """
        return y.new_ones(len(y))


class LinearOperator(Operator):
    """A linear A, with ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ and A A⁺ A = A."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Image:
        """Aᵀ y."""

    @abstractmethod
    def pseudo_inverse(self, y: Tensor) -> Image:
        """A⁺ y, the least-squares solution of least norm."""

    def norm(self, y: Tensor) -> PerSample:
        """‖A‖₂, the largest singular value of each sample's A, (B,); here by `largest_singular_value`."""
        return largest_singular_value(self.forward, self.adjoint, y)

    @torch.no_grad()
    def regularised_inverse(self, y: Tensor, scale: float, shift: float) -> Tensor:
        """(scale·A Aᵀ + shift·I)⁻¹ y, without a graph.

        Here by conjugate gradients, to a residual of `conjugate_gradient.TOLERANCE`·‖y‖ for each sample.

        Args:
            y: (B, ...), a measurement or residual.
            scale: at least 0.
            shift: above 0.

        Raises:
            ValueError: for a scale or shift outside these ranges.
        """
        check_positive(scale, shift)
        root = math.sqrt(scale)
        return conjugate_gradients(
            lambda z: root * self.adjoint(z), lambda x: root * self.forward(x), pull=y, shift=shift
        )

    def gain(self, residual: Tensor, scale: float, shift: float) -> Image:
        """Aᵀ (scale·A Aᵀ + shift·I)⁻¹ r, and its limit A⁺ r/scale where shift is 0; without a graph.

        Args:
            residual: r, (B, ...).
            scale: above 0.
            shift: at least 0.
        """
        if shift == 0.0:
            return self.pseudo_inverse(residual) / scale
        return self.adjoint(self.regularised_inverse(residual, scale, shift))

    def proximal(self, x: Image, y: Tensor, rho: float) -> Image:
        """argmin_u ‖y − A u‖² + ρ‖u − x‖² = x + Aᵀ (A Aᵀ + ρ I)⁻¹ (y − A x); x + A⁺ (y − A x) where ρ is 0.

        Args:
            x: (B,C,H,W).
            y: (B, ...).
            rho: ρ ≥ 0.
        """
        return x + self.gain(y - self.forward(x), 1.0, rho)


def check_positive(scale: float, shift: float) -> None:
    """Raise ValueError unless scale ≥ 0 and shift > 0: the matrix would not be positive definite."""
    if not (scale >= 0 and shift > 0):
        raise ValueError(f"regularised_inverse: needs scale ≥ 0 and shift > 0, got {scale} and {shift}")
