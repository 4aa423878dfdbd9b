"""Quality against what it costs: a panel a task, a point a method."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from dsg.comparison.table import Row

MARKERS = "osD^vP*X<>"
WIDTH, HEIGHT, LEGEND_LINE = 4.2, 3.4, 0.2  # inches: of a panel, and of a line of the legend


def quality_against(
    rows: Sequence[Row], metrics: Mapping[str, str], cost: Callable[[Row], float], label: str, log: bool = False
) -> bytes:
    """A PNG.

    Args:
        rows: see `make_table`.
        metrics: of each task the one on the vertical axis, with its interval; a colour a method, a marker a setting.
        cost: on the horizontal axis, per image.
        label: of that axis.
        log: whether it is logarithmic.
    """
    rows = [r for r in rows if r.metric == metrics[r.task] and math.isfinite(r.mean) and math.isfinite(cost(r))]
    tasks, methods, settings = (list(dict.fromkeys(getattr(r, n) for r in rows)) for n in ("task", "method", "setting"))
    figure, panels = panels_of(len(tasks), len(methods) * len(settings))
    handles: dict[str, Any] = {}
    for row in rows:
        panel = panels[tasks.index(row.task)]
        bounds = [[max(row.mean - row.low, 0)], [max(row.high - row.mean, 0)]] if math.isfinite(row.low) else None
        name = f"{row.method}, {row.setting}" if len(settings) > 1 else row.method
        handles[name] = panel.errorbar(
            cost(row), row.mean, yerr=bounds, capsize=2, markersize=5,
            fmt=MARKERS[settings.index(row.setting) % len(MARKERS)],
            color=colormaps["tab20"](methods.index(row.method) % 20),
        )  # fmt: skip
    for panel, task in zip(panels, tasks, strict=False):
        panel.set(xlabel=label)
        panel.set_title(task, parse_math=False)
        panel.set_ylabel(metrics[task], parse_math=False)
        if log:
            _scale_logarithmically(panel, [cost(row) for row in rows if row.task == task])
        panel.grid(alpha=0.3)
    return with_legend(figure, handles)


def panels_of(tasks: int, names: int) -> tuple[Figure, Sequence[Axes]]:
    """A figure with a panel a task, and room below for a legend of so many names."""
    columns = _columns(tasks)
    lines = max(1, math.ceil(tasks / columns))
    legend = math.ceil(names / (2 * columns))
    figure = Figure((WIDTH * columns, HEIGHT * lines + LEGEND_LINE * (legend + 1)), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for panel in panels[tasks:]:
        panel.set_axis_off()
    return figure, panels[:tasks]


def with_legend(figure: Figure, handles: Mapping[str, Any]) -> bytes:
    """The figure as a PNG, with a legend below it."""
    if handles:
        columns = 2 * _columns(len([axes for axes in figure.axes if axes.axison]))
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _columns(tasks: int) -> int:
    return max(1, min(3, tasks))


def _scale_logarithmically(panel: Axes, values: list[float]) -> None:
    """A log axis with 1, 2 and 5 of each decade, and at least one of them in sight."""
    panel.set(xscale="log", xlim=(min(values) / 2, max(values) * 2))
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    panel.xaxis.set_minor_locator(NullLocator())
