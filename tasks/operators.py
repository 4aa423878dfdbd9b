"""Measurement operators with a batch's parameters bound: what is applied to images, and its linear algebra."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from dsg.types import Image


class Operator(ABC):
    """A: images → measurements. Differentiable."""

    @abstractmethod
    def forward(self, x: Image) -> Tensor:
        """A(x), (B,C,H,W) → (B, ...)."""

    def parameters(self) -> dict[str, Tensor]:
        """The tensors that were drawn for this batch (`mask`, `kernel`), (B, ...) each, for saving and showing."""
        return {}


class LinearOperator(Operator):
    """A linear A, with ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ and A A⁺ A = A."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Image:
        """Aᵀ y."""

    @abstractmethod
    def pseudo_inverse(self, y: Tensor) -> Image:
        """A⁺ y, the least-squares solution of least norm."""
