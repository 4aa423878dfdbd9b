"""Which of a schedule's levels a sampler visits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dsg.diffusion.level import CLEAN, NoiseLevel, Step
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError


class Spacing(ABC):
    """Chooses levels; a strategy object without state. Subclasses write `levels`, and `end` if that is not clean."""

    @abstractmethod
    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        """`count` levels of the schedule, noisiest first, each with noise.

        Raises:
            UserError: if the schedule has no such levels.
        """

    def end(self, schedule: Schedule) -> NoiseLevel:
        """Where the last step leads; by default to x̂, without noise."""
        return CLEAN

    def steps(self, schedule: Schedule, count: int) -> list[Step]:
        """The reverse steps that visit `levels`, noisiest first, and lead to `end`.

        Raises:
            UserError: if the schedule has no such levels, or they do not fall one after the other.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            hint = (
                "; guided-diffusion's ddimN is steps N with spacing IntegerStride" if str(count)[:4] == "ddim" else ""
            )
            raise UserError(f"steps: must be a whole number of at least 1, got {count!r}{hint}")
        levels, end = self.levels(schedule, count), self.end(schedule)
        if levels[-1] == end:
            raise UserError(
                f"spacing: {type(self).__name__} ends at t = {end.t:g}, where its last step would begin; set "
                "ends_clean to true, or of Leading the offset to at least 1"
            )
        for level, following in pairwise([*levels, end]):
            if not level.log_snr < following.log_snr:
                raise UserError(
                    f"spacing: {type(self).__name__} visits t = {level.t:g} before t = {following.t:g}, which is no "
                    "less noisy; take fewer steps or another spacing"
                )
        return [
            Step(level.t, level.log_snr, prev, index=len(levels) - 1 - i, total=len(levels))
            for i, (level, prev) in enumerate(pairwise([*levels, end]))
        ]


@dataclass(frozen=True)
class Even(Spacing):
    """Evenly in the network's time, both ends of the schedule kept.

    A table's timesteps are rounded, as in guided-diffusion; a single one is the noisiest. Where the clean end of a
    continuous schedule is the data itself, the last step ends there instead of beginning there.
    """

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        if isinstance(schedule, NoiseSchedule):
            last = len(_table(schedule, count)) - 1
            return [schedule.level(round(i * last / max(count - 1, 1))) for i in _down_to(count)]
        return [
            schedule.level(t) for t in even_times(schedule.noisiest.t, schedule.cleanest, schedule.cleanest.t, count)
        ]


@dataclass(frozen=True)
class Leading(Spacing):
    """Every ⌊T/N⌋-th timestep of a table, up from 0: the noisiest levels are left out (diffusers' `leading`).

    Args:
        offset: added to every timestep, at least 0 (diffusers' `steps_offset`).
        ends_clean: end at x̂; otherwise at the first level of the table, √ā_0 x̂ + √(1−ā_0) ε, as diffusers does with
            `set_alpha_to_one: false`. A sample then keeps the noise of that level.

    Raises:
        UserError: for another offset, or one that leads beyond the table; for steps that visit the level at which they
            would end.
    """

    offset: int = 0
    ends_clean: bool = True

    def __post_init__(self) -> None:
        if self.offset < 0:
            raise UserError(f"spacing.offset: must be at least 0, got {self.offset}")

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        stride = len(_table(schedule, count)) // count
        return [schedule.level(i * stride + self.offset) for i in reversed(range(count))]

    def end(self, schedule: Schedule) -> NoiseLevel:
        return CLEAN if self.ends_clean else schedule.cleanest


@dataclass(frozen=True)
class Trailing(Spacing):
    """Every T/N-th timestep of a table, down from T−1 (diffusers' `trailing`).

    Args:
        ends_clean: as of `Leading`.

    Raises:
        UserError: for steps that visit the level at which they would end.
    """

    ends_clean: bool = True

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        total = len(_table(schedule, count))
        return [schedule.level(int(np.round(total - i * (total / count))) - 1) for i in range(count)]

    def end(self, schedule: Schedule) -> NoiseLevel:
        return CLEAN if self.ends_clean else schedule.cleanest


@dataclass(frozen=True)
class IntegerStride(Spacing):
    """The smallest stride that visits exactly N timesteps of a table, up from 0 (guided-diffusion's `ddimN`)."""

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        total = len(_table(schedule, count))
        for stride in range(1, total + 1):
            if len(range(0, total, stride)) == count:
                return [schedule.level(t) for t in reversed(range(0, total, stride))]
        raise UserError(f"steps: no integer stride visits exactly {count} of {total} levels; take spacing Even instead")


def even_times(first: float, cleanest: NoiseLevel, last: float, count: int) -> list[float]:
    """`count` numbers evenly from `first` to `last`; short of it where the cleanest level has no noise."""
    if cleanest.log_snr == math.inf:
        return np.linspace(first, last, count + 1)[:-1].tolist()
    return np.linspace(first, last, count).tolist()


def _table(schedule: Schedule, count: int) -> NoiseSchedule:
    """The schedule, which must be a table of at least `count` levels."""
    if not isinstance(schedule, NoiseSchedule):
        raise UserError(
            f"spacing: it counts the timesteps of a table, and {type(schedule).__name__} has none; take Even, LogSNR, "
            "Karras or ShiftedFlow"
        )
    if count > len(schedule):
        raise UserError(f"steps: must be 1 to {len(schedule)}, the length of the model's schedule, got {count}")
    return schedule


def _down_to(count: int) -> list[int]:
    """count−1, ..., 0; a single level is the noisy end, not the clean one."""
    return list(reversed(range(count))) if count > 1 else [1]
