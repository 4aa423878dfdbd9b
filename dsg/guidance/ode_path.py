"""Which levels DAPS's probability-flow ODE visits on its way from a state to a clean image."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from dsg.diffusion.level import CLEAN, NoiseLevel, Step
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError


class OdePath(ABC):
    """Chooses levels; a strategy object without state.

    Attributes:
        visits_whole_timesteps: of a table it visits no levels between its timesteps.
    """

    visits_whole_timesteps: ClassVar[bool] = False

    @abstractmethod
    def levels(self, step: Step, schedule: Schedule, count: int) -> list[NoiseLevel]:
        """`step` and then less noisy levels, at most `count` + 1 in all. The network is asked at each but the last."""


@dataclass(frozen=True)
class EvenTimes(OdePath):
    """Evenly in the network's time, and then to the clean image; whole timesteps of a table, each once."""

    visits_whole_timesteps: ClassVar[bool] = True

    def levels(self, step: Step, schedule: Schedule, count: int) -> list[NoiseLevel]:
        clean = schedule.cleanest.t
        times = [clean + (step.t - clean) * (count - k) / count for k in range(1, count)]
        if isinstance(schedule, NoiseSchedule):
            times = sorted({round(t) for t in times}, reverse=True)
        return [step, *(schedule.level(t) for t in times if t < step.t), CLEAN]


@dataclass(frozen=True)
class PowerLaw(OdePath):
    """As in the published code of DAPS: σ^(1/ρ) evenly, σ = √((1−ā)/ā), down to a little noise that is left in x̂.

    From a state with less noise than that it goes to the clean image at once. Levels that are cleaner than all of the
    model's are left out.

    Args:
        rho: ρ > 0; 7 as published.
        sigma_min: where it ends, at least 0; 0.01 as published. 0 is the clean image, as in Karras et al. 2022.

    Raises:
        UserError: for values outside these ranges.
    """

    rho: float = 7.0
    sigma_min: float = 0.01

    def __post_init__(self) -> None:
        if not 0.0 < self.rho < math.inf:
            raise UserError(f"rho: the ρ of PowerLaw must be above 0, got {self.rho}")
        if not 0.0 <= self.sigma_min < math.inf:
            raise UserError(f"sigma_min: PowerLaw's must be at least 0, got {self.sigma_min}")

    def levels(self, step: Step, schedule: Schedule, count: int) -> list[NoiseLevel]:
        if step.sigma <= self.sigma_min:
            return [step, CLEAN]
        last = (self.sigma_min / step.sigma) ** (1.0 / self.rho)
        roots = (1.0 + (last - 1.0) * k / count for k in range(1, count))
        between = [NoiseLevel.from_sigma(0.0, step.sigma * root**self.rho) for root in roots]
        known = [schedule.at(level.log_snr) for level in between if level.log_snr < schedule.cleanest.log_snr]
        return [step, *known, NoiseLevel.from_sigma(0.0, self.sigma_min)]
