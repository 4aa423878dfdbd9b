"""Linear operators known by their forward map alone: the adjoint by autograd, the pseudo-inverse by iteration."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dsg.types import Image, expand_to, per_sample_norm
from tasks.operators.base import LinearOperator

TOLERANCE = 1e-5
MAX_ITERATIONS = 300


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
        """A⁺ y to the accuracy of `least_squares`; not differentiable.

        For motion blur, whose small singular values no iteration reaches, A A⁺ A x is within 1 % of A x even for white
        noise x, the worst case. It takes hundreds of passes: a method that calls A⁺ at every step wants an operator
        with a closed form (circular padding).
        """
        return least_squares(self.forward, self.adjoint, y)


def least_squares(
    forward: Callable[[Tensor], Tensor],
    adjoint: Callable[[Tensor], Tensor],
    y: Tensor,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> Tensor:
    """Conjugate gradients on AᵀA x = Aᵀy, from x = 0, so that x tends to the solution of least norm, A⁺y.

    A sample stops by itself where ‖Aᵀ(y − A x)‖ ≤ tolerance·‖Aᵀy‖, all at the latest after `max_iterations`; its
    neighbours do not matter. Stopping early leaves out the directions of small singular values, as a cutoff does.
    (Björck, Numerical Methods for Least Squares Problems, 1996, algorithm 7.4.1, CGLS.)

    Args:
        forward: A, and adjoint: Aᵀ, both on batches.
        y: (B, ...).
        tolerance: relative to each sample's ‖Aᵀy‖, above 0.
        max_iterations: at least 1; each costs one forward and one adjoint.
    """
    residual = y
    gradient = adjoint(y)
    x, search = torch.zeros_like(gradient), gradient
    squared = per_sample_norm(gradient) ** 2
    goal = squared * tolerance**2
    for _ in range(max_iterations):
        active = squared > goal
        if not active.any():
            break
        image = forward(search)
        length = torch.where(active, squared / (per_sample_norm(image) ** 2).clamp(min=torch.finfo(y.dtype).tiny), 0)
        x = x + expand_to(length, x) * search
        residual = residual - expand_to(length, y) * image
        gradient = torch.where(expand_to(active, x), adjoint(residual), gradient)
        previous, squared = squared, per_sample_norm(gradient) ** 2
        search = gradient + expand_to(torch.where(active, squared / previous, 0), x) * search
    return x
