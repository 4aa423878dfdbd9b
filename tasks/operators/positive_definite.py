"""Positive definite systems that are known by their map alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dsg.types import expand_to, per_sample_norm

TOLERANCE = 1e-5
MAX_ITERATIONS = 500


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    y: Tensor,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> Tensor:
    """M⁻¹ y for a symmetric positive definite M, from zero (Hestenes & Stiefel 1952).

    A sample stops by itself where ‖y − M x‖ ≤ tolerance·‖y‖, all at the latest after `max_iterations`; its neighbours
    do not matter. A matrix of condition κ takes about ½ √κ log(2/tolerance) iterations.

    Args:
        apply: M on a batch.
        y: (B, ...).
        tolerance: relative to each sample's ‖y‖, above 0.
        max_iterations: at least 1; each applies M once.
    """
    x, residual, search = torch.zeros_like(y), y, y
    squared = per_sample_norm(y) ** 2
    goal = squared * tolerance**2
    tiny = torch.finfo(y.dtype).tiny
    for _ in range(max_iterations):
        active = squared > goal
        if not active.any():
            break
        image = apply(search)
        curvature = (search * image).flatten(1).sum(dim=1).clamp(min=tiny)
        length = expand_to(torch.where(active, squared / curvature, 0), y)
        x = x + length * search
        residual = torch.where(expand_to(active, y), residual - length * image, residual)
        previous, squared = squared, per_sample_norm(residual) ** 2
        search = residual + expand_to(torch.where(active, squared / previous.clamp(min=tiny), 0), y) * search
    return x
