"""What steps of the reverse stochastic differential equation share, whatever coordinates they are taken in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from dsg.diffusion.kernels.base import ReverseKernel
from dsg.errors import UserError


@dataclass(frozen=True)
class ReverseSDE(ReverseKernel):
    """One of the equations of the same marginals: their score is scaled by (1+λ²)/2, their noise by λ.

    Args:
        noise: λ ≥ 0; 1 is the reverse SDE, 0 the probability-flow ODE.

    Raises:
        UserError: for a negative λ, or one that is not finite.
    """

    noise: float = 1.0

    needs_signal: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.noise < math.inf:
            raise UserError(f"noise: λ of the reverse SDE must be at least 0 and finite, got {self.noise}")

    @property
    def is_stochastic(self) -> bool:
        return self.noise > 0.0
