"""What a method may spend on its tuning: the same for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dsg.errors import UserError

Unit = Literal["candidates", "evaluations"]
UNITS = ("candidates", "evaluations")


@dataclass(frozen=True)
class Budget:
    """At most so much for each method, on each task under each setting.

    Args:
        amount: above 0.
        unit: candidates: values tried. evaluations: passes through the network, forward and backward, an image, of all
            candidates together: a method without a backward pass may try twice as many values.
    """

    amount: float
    unit: Unit

    @classmethod
    def read(cls, stated: Any) -> Budget:
        """From `candidates: N` or `evaluations: N`. Raises UserError for anything else."""
        unit, amount = next(iter(stated.items())) if isinstance(stated, dict) and len(stated) == 1 else (None, None)
        if unit not in UNITS or not isinstance(amount, int | float) or isinstance(amount, bool) or amount <= 0:
            raise UserError(
                "comparison.tuning.budget: must be `candidates: N` or `evaluations: N` (network passes an image), "
                f"got {stated!r}"
            )
        return cls(amount, unit)  # type: ignore[arg-type]  # it is one of UNITS

    def allows(self, candidates: int, spent: float, cost: float) -> bool:
        """Whether one more may be tried after `candidates` that took `spent` evaluations, if it takes `cost`."""
        return candidates + 1 <= self.amount if self.unit == "candidates" else spent + cost <= self.amount

    def check(self, name: str, candidates: int, cost: float) -> None:
        """Raise UserError if the grid that a method begins with goes beyond it; `cost` evaluations a candidate."""
        needed = candidates if self.unit == "candidates" else candidates * cost
        if needed > self.amount:
            raise UserError(
                f"comparison.tuning.budget: {name} begins with {candidates} candidates, {needed:g} {self.unit}, more "
                f"than {self.amount:g}; take fewer values or a larger budget"
            )
