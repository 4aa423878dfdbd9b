"""How far one recorded thing is from ours, and what is equality."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Deviation:
    """The largest of any number.

    Args:
        what: is compared.
        largest: |ours − recorded|, in the unit of the tolerance.
        tolerance: what the record calls equality.
    """

    what: str
    largest: float
    tolerance: float

    def passes(self, tolerance: float | None = None) -> bool:
        """Whether it is equality; NaN is not."""
        return self.largest <= (self.tolerance if tolerance is None else tolerance)


def largest(ours: Tensor, recorded: Tensor, unit: Tensor | float = 1.0) -> float:
    """max |ours − recorded|/unit; shapes that differ raise RuntimeError instead of being broadcast."""
    if ours.shape != recorded.shape:
        raise RuntimeError(f"ours is {tuple(ours.shape)} and the record {tuple(recorded.shape)}")
    return ((ours - recorded).abs() / unit).max().item()
