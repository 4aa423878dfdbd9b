"""Linear operators known by their forward map alone: the adjoint by autograd, the pseudo-inverse by iteration."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.types import Image
from tasks.operators.base import LinearOperator
from tasks.operators.conjugate_gradient import conjugate_gradients

PSEUDO_INVERSE_ITERATIONS = 300
"""Where A⁺ of an operator without a closed form stops: this leaves out its smallest singular values."""


class MatrixFree(LinearOperator):
    """A linear operator that only says how it maps forward.

    Args:
        shape: (C,H,W) of the images.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def adjoint(self, y: Tensor) -> Image:
        """Aᵀ y as the vector–Jacobian product of `forward`, which needs no A beyond it."""
        with torch.enable_grad():
            x = y.new_zeros(len(y), *self.shape, requires_grad=True)
            return torch.autograd.grad(self.forward(x), x, y, create_graph=y.requires_grad)[0]

    @torch.no_grad()
    def pseudo_inverse(self, y: Tensor) -> Image:
        """A⁺ y by `conjugate_gradients`; not differentiable.

        For motion blur, whose small singular values no iteration reaches, A A⁺ A x is within 1 % of A x even for white
        noise x, the worst case. It takes hundreds of passes: a method that calls A⁺ at every step wants an operator
        with a closed form (circular padding).
        """
        return conjugate_gradients(self.forward, self.adjoint, y, max_iterations=PSEUDO_INVERSE_ITERATIONS)
