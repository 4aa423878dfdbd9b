"""A guidance scale that holds at the noise levels of an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.combiners.base import PredictionCombiner
from dsg.combiners.scale import ClassScale, check_scale
from dsg.diffusion.level import Step
from dsg.errors import UserError


@dataclass(frozen=True)
class InInterval(PredictionCombiner):
    """What is scaled by γ or w at the noise levels of an interval (Kynkäänniemi et al. 2024, 2404.07724).

    Args:
        guidance_scale: at least 0; a subclass says whether it may be a number for each class.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.

    Raises:
        UserError: for values outside these ranges.
    """

    guidance_scale: ClassScale = 1.0
    t_low: float = 0.0
    t_high: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.guidance_scale, list):  # as Python writes it, and hashable
            object.__setattr__(self, "guidance_scale", tuple(self.guidance_scale))
        check_scale(self.guidance_scale)
        if not 0.0 <= self.t_low <= (math.inf if self.t_high is None else self.t_high):
            raise UserError(f"t_low, t_high: need 0 ≤ t_low ≤ t_high, got {self.t_low} and {self.t_high}")

    def in_interval(self, step: Step) -> bool:
        """Whether the step's level is one of those that are guided."""
        return self.t_low <= step.t and (self.t_high is None or step.t <= self.t_high)
