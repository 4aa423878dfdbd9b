"""In which unit numbers in files are, and how they become those of images in [−1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from torch import Tensor

from dsg.data.measured.stored import Stored
from dsg.errors import UserError

Unit = Literal["signed", "unit", "byte"]
CHOICES = "signed, [-1, 1]; unit, [0, 1]; or byte, [0, 255]"
BEYOND = 10.0  # times the largest number that is expected: no noise explains it
DARK = 0.3  # times that: with images in [−1, 1] something is below minus this


def check_unit(unit: str | None) -> None:
    """Raise UserError unless it is a unit or None."""
    if unit is not None and unit not in get_args(Unit):
        raise UserError(f"data.array_unit: must be {CHOICES}, got {unit}")


def signed(stored: Stored, unit: Unit | None) -> Tensor:
    """What a file holds, on images in [−1, 1]; float32.

    Whole numbers are of a picture, black to white. Real ones are in `unit`; without one they are taken as they are.
    """
    white = stored.white or {"unit": 1.0, "byte": 255.0}.get(unit or "signed")
    values = stored.values if white is None else 2 * stored.values / white - 1
    return values.float()


@dataclass
class Span:
    """From where to where the real numbers of all files go, and whether that can be so.

    Args:
        option: which option named the files.
        low: about the least number that is expected.
        high: about the largest.
    """

    option: str
    low: float
    high: float
    least: float = float("inf")

    def add(self, path: Path, values: Tensor) -> None:
        """Count one file's numbers in. Raises UserError if they are far beyond what is expected."""
        self.least = min(self.least, values.min().item())
        bound = max(abs(self.low), abs(self.high))
        if (largest := values.abs().max().item()) > BEYOND * bound:
            raise UserError(
                f"{self.option}: {path} holds numbers up to {largest:g}, and up to {bound:g} are expected; say in "
                f"data.array_unit what they are: {CHOICES}"
            )

    def check(self) -> None:
        """Raise UserError if all numbers together look like [0, 1] and not like [−1, 1]."""
        bound = max(abs(self.low), abs(self.high))
        if self.low < -DARK * bound <= self.least < float("inf"):
            raise UserError(
                f"{self.option}: no number is below {self.least:g}, which looks like [0, 1]; say in data.array_unit "
                f"what the numbers are: {CHOICES}"
            )
