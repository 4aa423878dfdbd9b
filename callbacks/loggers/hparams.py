"""What a run is, in the few words that TensorBoard's table of runs shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsg.report.labels import at, class_name, method, task

Column = str | int | float


def columns(settings: Mapping[str, Any]) -> dict[str, Column]:
    """task, method, kernel, steps, seed, and the method's main strength: its first number, `strength_of` says which.

    `settings` are in the order in which the classes declare them, as config.yaml is.

    DSG over DPS with guidance_rate 0.2 has the strength 0.2 of `guidance_rate`. Where the guidance has no number it
    is the combiner's first one. A method without numbers has the strength 0, of none: a run that lacks a column is not
    drawn in parallel coordinates.
    """
    steps = at(settings, "model.steps")
    steps = "one a token" if steps is None else str(steps)
    found: dict[str, Column] = {
        "task": task(settings),
        "method": method(settings),
        "kernel": class_name(settings, "model.kernel"),
        "steps": int(steps) if steps.isdecimal() else steps,  # or ddimN
        "seed": str(at(settings, "model.seed") or 0),  # a name: runs are chosen by it
    }
    for part in ("guidance", "combiner"):
        for name, value in (at(settings, f"model.{part}.init_args") or {}).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                return found | {"strength": float(value), "strength_of": name}
    return found | {"strength": 0.0, "strength_of": "none"}
