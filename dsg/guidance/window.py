"""Which steps of a trajectory are guided: a window, counted from the noisy end."""

from __future__ import annotations

from dataclasses import dataclass, field

from dsg.diffusion.level import Step
from dsg.errors import UserError


@dataclass(frozen=True)
class Windowed:
    """Beside a guidance: it is taken on the steps start ≤ position < stop whose level has t ≥ t_low.

    Published windows are of one number of steps: DSG's code for style says 70 > index ≥ 30 of 100 left, which is start
    30 and stop 70. With `stated_for` 100 they are the same share of any trajectory, and so are percents.

    Args:
        start: first guided step, counted from the noisy end, 0 being the first.
        stop: first step, counted the same way, that is no longer guided; null guides to the end.
        t_low: least noisy timestep that is guided, at least 0; 0 guides to the end. The codes' `t > 100` is 101.
        stated_for: number of steps of which start and stop are counted; null is the trajectory's own.

    Raises:
        UserError: for values outside these ranges.
    """

    start: int = field(default=0, kw_only=True)
    stop: int | None = field(default=None, kw_only=True)
    t_low: float = field(default=0.0, kw_only=True)
    stated_for: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_window(self.start, self.stop)
        check_at_least(self.t_low, 0, "t_low")
        if self.stated_for is not None:
            check_at_least(self.stated_for, 1, "stated_for")

    def in_window(self, step: Step) -> bool:
        """Whether the step is in the window, whatever the strength."""
        return step.t >= self.t_low and in_window(step, self.start, self.stop, self.stated_for)


def in_window(step: Step, start: int, stop: int | None, stated_for: int | None = None) -> bool:
    """Whether start ≤ position < stop; the first step has position 0, and no `stop` is the end.

    Args:
        stated_for: a trajectory of so many steps is what start and stop are positions of; None is the step's own.
    """
    own, of = step.total, stated_for or step.total  # in whole numbers, so that no window's edge is a matter of rounding
    return start * own <= step.position * of and (stop is None or step.position * of < stop * own)


def check_window(start: int, stop: int | None, names: str = "start, stop") -> None:
    """Raise UserError unless 0 ≤ start < stop."""
    if start < 0 or (stop is not None and stop <= start):
        raise UserError(f"{names}: need 0 ≤ start < stop, got {start} and {stop}")


def check_at_least(value: float, least: float, name: str) -> None:
    """Raise UserError unless least ≤ value < ∞."""
    if not least <= value < float("inf"):
        raise UserError(f"{name}: must be at least {least:g}, got {value}")
