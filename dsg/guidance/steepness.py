"""How steep the squared residual of a measurement can be, for methods that descend it with a step of their own."""

from __future__ import annotations

from dsg.process import ReverseProcess
from dsg.types import PerSample


def steepness(process: ReverseProcess) -> PerSample:
    """ℓ² = max(1, ‖A‖)², (B,) float64, found once a batch."""
    if "operator norm" not in process.memory:
        process.memory["operator norm"] = process.measurement.operator.norm(process.measurement.y)
    return process.memory["operator norm"].double().clamp(min=1.0) ** 2
