"""Which steps of a trajectory: a window that is counted from the noisy end."""

from __future__ import annotations

from dsg.diffusion.level import Step
from dsg.errors import UserError


def in_window(step: Step, start: int, stop: int | None) -> bool:
    """Whether start ≤ position < stop; the first step has position 0, and no `stop` is the end."""
    return start <= step.position and (stop is None or step.position < stop)


def check_window(start: int, stop: int | None, names: str = "start, stop") -> None:
    """Raise UserError unless 0 ≤ start < stop."""
    if start < 0 or (stop is not None and stop <= start):
        raise UserError(f"{names}: need 0 ≤ start < stop, got {start} and {stop}")


def check_at_least(value: float, least: float, name: str) -> None:
    """Raise UserError unless least ≤ value < ∞."""
    if not least <= value < float("inf"):
        raise UserError(f"{name}: must be at least {least:g}, got {value}")
