"""Least squares and positive definite systems of maps that are known by what they do alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dsg.types import expand_to, per_sample_norm

TOLERANCE = 1e-5
MAX_ITERATIONS = 500


def conjugate_gradients(
    forward: Callable[[Tensor], Tensor],
    adjoint: Callable[[Tensor], Tensor],
    y: Tensor | None = None,
    pull: Tensor | float = 0.0,
    shift: float = 0.0,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    ends_early: bool = True,
) -> Tensor:
    """argmin_x ½‖y − A x‖² + ½·shift·‖x‖² − ⟨pull, x⟩, which solves (AᵀA + shift·I) x = Aᵀy + pull.

    With y alone and no shift it is A⁺y, the solution of least norm, for the iteration starts at x = 0. With A = Bᵀ and
    the pull alone it is (B Bᵀ + shift·I)⁻¹ pull. The slope s = Aᵀ(y − A x) + pull − shift·x is made from y − A x at
    every turn and never carried along, which in float32 is the more exact of the two (Björck, Numerical Methods for
    Least Squares Problems, 1996, algorithm 7.4.1, CGLS). A condition κ of AᵀA + shift·I takes about
    ½ √κ log(2/tolerance) turns.

    A sample stops by itself where ‖s‖ ≤ tolerance·‖Aᵀy + pull‖, all at the latest after `max_iterations`; its
    neighbours do not matter. Stopping early leaves out the directions of small singular values, as a cutoff does.

    Args:
        forward: A, and adjoint: Aᵀ, both on batches.
        y: (B, ...), what A x is to meet; None for 0.
        pull: (B, ...), shaped as x. One of the two has to be there.
        shift: at least 0; above 0 if there is a pull.
        tolerance: relative to each sample's ‖Aᵀy + pull‖, above 0.
        max_iterations: at least 1; each costs one forward and one adjoint.
        ends_early: end when every sample has stopped, which the device is asked for at each iteration; otherwise the
            rest of the iterations is taken and moves nobody.

    Raises:
        ValueError: if there is neither y nor pull.
    """
    if y is not None:
        residual, slope = y, adjoint(y) + pull
    elif isinstance(pull, Tensor):
        residual, slope = pull.new_zeros(1), pull
    else:
        raise ValueError("conjugate_gradients: needs y or pull")
    x, search = 0 * slope, slope  # begins at 0, and at no number where the slope is none
    squared = per_sample_norm(slope) ** 2
    goal, tiny = squared * tolerance**2, torch.finfo(slope.dtype).tiny
    for _ in range(max_iterations):
        active = squared > goal
        if ends_early and not active.any():
            break
        image = forward(search)
        curvature = per_sample_norm(image) ** 2 + shift * per_sample_norm(search) ** 2
        length = torch.where(active, squared / curvature.clamp(min=tiny), 0)
        x = x + expand_to(length, x) * search
        residual = residual - expand_to(length, image) * image
        slope = torch.where(expand_to(active, x), adjoint(residual) + pull - shift * x, slope)
        previous, squared = squared, per_sample_norm(slope) ** 2
        search = slope + expand_to(torch.where(active, squared / previous, 0), x) * search
    return x
