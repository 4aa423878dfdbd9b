"""How much quality control costs: a panel a task, a line a method through its strengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import colormaps

from dsg.comparison.plot import MARKERS, panels_of, with_legend
from dsg.metrics.direction import direction_of
from dsg.metrics.statistics import Interval


@dataclass(frozen=True)
class Point:
    """One run.

    Args:
        task: the panel.
        method: the line.
        strength: where on the line; written beside the point. None of a method without one.
        control: metric of what was asked, such as `judge_identity_similarity`.
        controlled: its mean with interval.
        quality: metric of all pictures together, such as `fd_portraits`.
        value: its value.
    """

    task: str
    method: str
    strength: float | None
    control: str
    controlled: Interval
    quality: str
    value: float


def trade_off(points: Sequence[Point]) -> bytes:
    """A PNG: control, with its interval, over quality. Points without one of the two are left out."""
    points = [point for point in points if math.isfinite(point.controlled.mean + point.value)]
    tasks, methods = (list(dict.fromkeys(getattr(point, name) for point in points)) for name in ("task", "method"))
    figure, panels = panels_of(len(tasks), len(methods))
    handles: dict[str, Any] = {}
    for panel, task in zip(panels, tasks, strict=True):
        here = [point for point in points if point.task == task]
        for method in dict.fromkeys(point.method for point in here):
            line = sorted((point for point in here if point.method == method), key=lambda point: point.strength or 0)
            number = methods.index(method)
            handles[method] = panel.errorbar(
                [point.value for point in line], [point.controlled.mean for point in line], yerr=_bounds(line),
                fmt=f"{MARKERS[number % len(MARKERS)]}-", color=colormaps["tab10"](number % 10), linewidth=1,
                elinewidth=0.7, capsize=2, markersize=4,
            )  # fmt: skip
            for point in line:
                if point.strength is not None:
                    panel.annotate(
                        f"{point.strength:g}", (point.value, point.controlled.mean), xytext=(4, 4),
                        textcoords="offset points", fontsize=7, color=colormaps["tab10"](number % 10),
                    )  # fmt: skip
        panel.set_title(task, parse_math=False)
        panel.set_xlabel(_heading(here[0].quality), parse_math=False)
        panel.set_ylabel(_heading(here[0].control), parse_math=False)
        panel.margins(x=0.1)  # for the strengths beside the points
        panel.grid(alpha=0.3)
    return with_legend(figure, handles)


def _heading(metric: str) -> str:
    return f"{metric} {direction_of(metric).arrow}".strip()


def _bounds(line: Sequence[Point]) -> list[list[float]]:
    """How far each interval reaches below and above its mean; 0 where there is none."""
    found = [point.controlled for point in line]
    return [
        [i.mean - i.low if math.isfinite(i.low) else 0.0 for i in found],
        [i.high - i.mean if math.isfinite(i.high) else 0.0 for i in found],
    ]
