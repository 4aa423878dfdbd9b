"""How far a chain that follows a gradient goes at once, and the gradient that it follows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.chain import Target
from dsg.guidance.data_term import data_term
from dsg.guidance.steepness import steepness
from dsg.process import ReverseProcess
from dsg.types import State, expand_to


@dataclass(frozen=True)
class DecayingStep:
    """DAPS's published code: one step length for every operator, σ_y and r, lowered from level to level,

        h = learning_rate (1 + q (final_share − 1)),   q = position/(total + 1) of the reverse step

    Nothing keeps it stable: with a likelihood of precision p and an operator of norm ‖A‖ it has to be below 2/(p ‖A‖²).

    Args:
        learning_rate: h of the first level, above 0; on images in [−1, 1].
        final_share: of it that is left towards the last level, in (0, 1].

    Raises:
        UserError: for values outside these ranges.
    """

    learning_rate: float = 1e-4
    final_share: float = 0.01

    def __post_init__(self) -> None:
        if not 0.0 < self.learning_rate < math.inf:
            raise UserError(f"learning_rate: DecayingStep's must be above 0, got {self.learning_rate}")
        if not 0.0 < self.final_share <= 1.0:
            raise UserError(f"final_share: DecayingStep's must be in (0, 1], got {self.final_share}")

    def at(self, step: Step) -> float:
        """h of a reverse step."""
        return self.learning_rate * (1.0 + step.position / (step.total + 1) * (self.final_share - 1.0))


@dataclass(frozen=True)
class Slope:
    """The gradient of −log of a target, c ∇½L²/σ_y² + (x − x̂)/r², and how long a step along it may be.

    Args:
        target: the density.
        half: whether the likelihood has the ½ of a Gaussian's: c is 1, and 2 without it.
        clip: every number of ∇L² is clamped to ± this; None clamps none.
    """

    target: Target
    half: bool = True
    clip: float | None = None

    @property
    def precision(self) -> float:
        """c/σ_y²."""
        return (1.0 if self.half else 2.0) / self.target.sigma**2

    @property
    def pull(self) -> float:
        """1/r²."""
        return 1.0 / self.target.radius**2

    def at(self, x: State, process: ReverseProcess) -> State:
        """The gradient at `x`, (B, *shape)."""
        _, gradient = data_term(x, process)
        if self.clip is not None:  # of ∇½L²
            gradient = gradient.clamp(-0.5 * self.clip, 0.5 * self.clip)
        return self.precision * gradient + self.pull * (x - self.target.centre)

    def step_size(self, rule: float | DecayingStep, step: Step, process: ReverseProcess) -> Tensor:
        """h, (B, 1, ..., 1) in the state's precision: that of a DecayingStep, or a share of 1/(c ℓ²/σ_y² + 1/r²)."""
        centre = self.target.centre
        if isinstance(rule, DecayingStep):
            h = centre.new_full((len(centre),), rule.at(step))
        else:
            h = rule / (self.precision * steepness(process, centre) + self.pull)
        return expand_to(h, centre).to(centre)


def check_step(chain: str, rule: float | DecayingStep, clip: float | None) -> None:
    """Raise UserError unless a share is in (0, 1], and a clip above 0."""
    if clip is not None and not 0.0 < clip < math.inf:
        raise UserError(f"clip: {chain}'s must be above 0, or null, got {clip}")
    if not isinstance(rule, DecayingStep) and not 0.0 < rule <= 1.0:
        raise UserError(f"step_size: {chain}'s must be in (0, 1], or a DecayingStep, got {rule}")
