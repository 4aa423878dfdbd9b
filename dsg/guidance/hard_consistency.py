"""Hard consistency: an estimate goes down the residual of a measurement until that is met, each sample alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.types import PerSample, State, expand_to

Objective = Callable[[State], PerSample]
OptimiserName = Literal["adamw", "adam", "descent"]


@dataclass(frozen=True)
class HardConsistency:
    """u ← argmin ‖y − A(u)‖²/m from u = start, by an optimiser of torch that goes so many steps, or to a tolerance.

    Of many minimisers it finds one that is near the start. Once a sample is at the tolerance it moves no more, whatever
    the others do.

    Args:
        iterations: at most so many steps, at least 0; each takes the loss and its gradient.
        learning_rate: above 0.
        tolerance: the root mean square of the residual at which a sample stops, at least 0. Null is the task's σ_y, so
            that noise is not fitted (Morozov's principle), and 0 where it has none. The published code's is 0.001.
        optimiser: `adamw`, as published, with torch's weight decay of 0.01·learning_rate a step; `adam` has none;
            `descent` is plain gradient descent.

    Raises:
        UserError: for values outside these ranges.
    """

    iterations: int = 200
    learning_rate: float = 1e-2
    tolerance: float | None = None
    optimiser: OptimiserName = "adam"

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise UserError(f"iterations: HardConsistency's must be at least 0, got {self.iterations}")
        if not 0.0 < self.learning_rate < math.inf:
            raise UserError(f"learning_rate: HardConsistency's must be above 0, got {self.learning_rate}")
        if self.tolerance is not None and not 0.0 <= self.tolerance < math.inf:
            raise UserError(f"tolerance: HardConsistency's must be at least 0, got {self.tolerance}")
        if self.optimiser not in get_args(OptimiserName):
            raise UserError(
                f"optimiser: HardConsistency's must be {' or '.join(get_args(OptimiserName))}, got {self.optimiser!r}"
            )

    def solve(self, start: State, objective: Objective, tolerance: float) -> tuple[State, PerSample]:
        """Where every sample is when it stops, (B, *shape), and its last loss that was taken, (B,).

        Args:
            start: (B, *shape).
            objective: the mean of the squared residual, (B, *shape) → (B,), differentiable.
            tolerance: σ_y of the task; used where this has none of its own.
        """
        least = (tolerance if self.tolerance is None else self.tolerance) ** 2
        found = start.detach().clone()
        moving = torch.ones(len(start), dtype=torch.bool, device=start.device)
        loss = torch.full((len(start),), torch.nan, device=start.device)
        u = found.clone().requires_grad_()
        optimiser = self._optimiser(u)
        for _ in range(self.iterations):
            with torch.enable_grad():
                value = objective(u)
                (u.grad,) = torch.autograd.grad(value.sum(), u)
            loss = torch.where(moving, value.detach(), loss)
            moving = moving & ~(value.detach() <= least)
            if not moving.any():
                break
            optimiser.step()
            found = torch.where(expand_to(moving, found), u.detach(), found)
        return found, loss

    def _optimiser(self, u: Tensor) -> torch.optim.Optimizer:
        if self.optimiser == "descent":
            return torch.optim.SGD([u], lr=self.learning_rate)
        kind = torch.optim.AdamW if self.optimiser == "adamw" else torch.optim.Adam
        return kind([u], lr=self.learning_rate)
