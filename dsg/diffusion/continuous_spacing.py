"""Spacings by the noise itself: in log-SNR, in σ, in the time of a flow. They serve every schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dsg.diffusion.continuous import flow_log_snr, flow_time
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import Schedule
from dsg.diffusion.spacing import Spacing, even_times
from dsg.errors import UserError


@dataclass(frozen=True)
class LogSNR(Spacing):
    """Evenly in log-SNR, for solvers in continuous time: levels lie between those of a table, and t is fractional.

    Args:
        noisiest: λ of the first level; null is the schedule's end.
        cleanest: λ of the last level with noise; null is the schedule's end.
    """

    noisiest: float | None = None
    cleanest: float | None = None

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        first = schedule.noisiest.log_snr if self.noisiest is None else self.noisiest
        last = schedule.cleanest.log_snr if self.cleanest is None else self.cleanest
        for name, end in (("noisiest", first), ("cleanest", last)):
            if not math.isfinite(end):
                raise UserError(f"spacing: the schedule's log-SNR ends at {end}; give LogSNR its {name} level")
        return [schedule.at(value) for value in np.linspace(first, last, count).tolist()]


@dataclass(frozen=True)
class Karras(Spacing):
    """Karras et al. 2022 (2206.00364), eq. 5: σ_i^(1/ρ) evenly from σ_max to σ_min, σ = √((1−ā)/ā).

    Args:
        rho: ρ > 0; the larger, the more levels have little noise. 7 as published, 1 is even in σ.
        sigma_min: of the last level with noise; null is the schedule's end.
        sigma_max: of the first level; null is the schedule's end.

    Raises:
        UserError: for a ρ that is not above 0.
    """

    rho: float = 7.0
    sigma_min: float | None = None
    sigma_max: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.rho < math.inf:
            raise UserError(f"spacing: the ρ of Karras must be above 0, got {self.rho}")

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        first = schedule.noisiest.sigma if self.sigma_max is None else self.sigma_max
        last = schedule.cleanest.sigma if self.sigma_min is None else self.sigma_min
        for name, end in (("sigma_max", first), ("sigma_min", last)):
            if not 0.0 < end < math.inf:
                raise UserError(f"spacing: a level with σ = {end} cannot be visited; give Karras a {name} above 0")
        roots = np.linspace(1.0, (last / first) ** (1 / self.rho), count)  # of σ/σ_max, so that no power overflows
        sigmas = [first * root**self.rho for root in roots.tolist()]
        return [schedule.at(NoiseLevel.from_sigma(0.0, sigma).log_snr) for sigma in sigmas]


@dataclass(frozen=True)
class ShiftedFlow(Spacing):
    """Evenly in the time of a flow, then shifted to the noise: t ← s t/(1 + (s−1) t) (Esser et al. 2024, 2403.03206).

    On another schedule t is that of the flow with the same log-SNR, t = 1/(1+e^(λ/2)). Both ends are the schedule's; of
    a flow, whose clean end is the data, the last step ends there instead of beginning there.

    Args:
        shift: s > 0; 1 does not shift. Stable Diffusion 3's is 3.
        last: time of the last level with noise before it is shifted, in (0, 1); null is the schedule's end. diffusers
            shifts its smallest time, 0.001, twice: s/(999 + s), 0.002994 for a shift of 3, visits its levels.

    Raises:
        UserError: for a shift that is not above 0, or a last time outside (0, 1).
    """

    shift: float = 3.0
    last: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.shift < math.inf:
            raise UserError(f"spacing: the shift of ShiftedFlow must be above 0, got {self.shift}")
        if self.last is not None and not 0.0 < self.last < 1.0:
            raise UserError(f"spacing: the last time of ShiftedFlow must be inside 0 and 1, got {self.last}")

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        first, last = (
            _shifted(flow_time(end.log_snr), 1.0 / self.shift) for end in (schedule.noisiest, schedule.cleanest)
        )
        if self.last is not None:
            times = np.linspace(first, self.last, count).tolist()
        else:
            times = even_times(first, schedule.cleanest, last, count)
        return [schedule.at(flow_log_snr(_shifted(t, self.shift))) for t in times]


def _shifted(t: float, shift: float) -> float:
    return t if t in (0.0, 1.0) else min(shift * t / (1.0 + (shift - 1.0) * t), 1.0)
