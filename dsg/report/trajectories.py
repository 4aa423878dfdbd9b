"""What the page draws of the runs' traces, as data for its own script: a reader chooses which runs lie over which."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.figures import colour
from dsg.run_folder.trace_file import Curve, Trace

MOST_POINTS = 250  # of a curve; a page has several thousand curves' worth of room, not several hundred thousand
FIRST = 6  # runs that are shown before anyone chooses
BAND = ("p10", "p50", "p90")


def trajectories(runs: Sequence[EvaluatedRun]) -> dict[str, Any] | None:
    """Runs with their steps, and of each measure a curve a run with its band; None if no run kept a trace."""
    traced = {i: run.trace for i, run in enumerate(runs) if run.trace is not None and run.trace.measures}
    if not traced:
        return None
    kept = {i: _kept(trace) for i, trace in traced.items()}
    titles = {name: curve.title for trace in traced.values() for name, curve in trace.measures.items()}
    return {
        "runs": [
            {"index": i, "name": runs[i].name, "colour": colour(i), "shown": place < FIRST, "steps": trace.steps,
             "samples": trace.samples, "at": kept[i]}
            for place, (i, trace) in enumerate(traced.items())
        ],
        "measures": [
            {"title": title,
             "curves": {i: _numbers(t.measures[name], kept[i]) for i, t in traced.items() if name in t.measures}}
            for name, title in titles.items()
        ],
    }  # fmt: skip


def embedded(found: dict[str, Any]) -> str:
    """As JSON that may stand inside a script element, whatever names are in it."""
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def untraced(runs: Sequence[EvaluatedRun]) -> list[str]:
    """The names of those that kept no trace."""
    return [run.name for run in runs if run.trace is None]


def _kept(trace: Trace) -> list[int]:
    """The steps that are drawn: all, or so many evenly spread, with the first and the last."""
    return sorted({round(step) for step in np.linspace(0, trace.steps - 1, min(trace.steps, MOST_POINTS))})


def _numbers(curve: Curve, steps: Sequence[int]) -> dict[str, list[float | None]]:
    """To four digits, which is more than can be seen."""
    return {name: [_rounded(getattr(curve, name)[step]) for step in steps] for name in BAND}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
