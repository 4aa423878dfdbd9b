"""The range of clean states, to which x̂ may be clamped."""

from __future__ import annotations

from typing import Literal

from dsg.data.media import medium_of
from dsg.errors import UserError

CleanRange = tuple[float, float] | Literal["pixels"] | None
"""Smallest and largest value; `pixels` is −1 and 1 for states (1,H,W) and (3,H,W) and none for others; None is none."""


def range_of(option: CleanRange, shape: tuple[int, ...], who: str) -> tuple[float, float] | None:
    """What the option means for states of a shape.

    Raises:
        UserError: unless low < high; it begins with `who`.
    """
    if option == "pixels":
        return (-1.0, 1.0) if medium_of(shape).is_picture else None
    if option is not None and not option[0] < option[1]:
        raise UserError(f"{who}: clean_range must be low < high, pixels or null, got {option}")
    return option
