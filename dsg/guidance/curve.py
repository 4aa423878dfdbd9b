"""TFG's schedules of a strength over the trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dsg.diffusion.level import Step

Curve = Literal["constant", "increase", "decrease"]


def weight(curve: Curve, step: Step, steps: Sequence[Step]) -> float:
    """s(t) of mean 1 over the trajectory (Ye et al. 2024, 2409.15761, section 3.2).

    Constant, increasing towards the clean end as α_t = ā/ā_prev, or decreasing as 1 − α_t, of the trajectory's own step
    wherever on its way it is asked for.
    """
    if curve == "constant":
        return 1.0
    values = {s.index: 1.0 - s.beta if curve == "increase" else s.beta for s in steps}
    total = sum(values.values())  # 0 where the only step is from noise alone, whose α is 0
    return values[step.index] * len(values) / total if total > 0.0 else 1.0
