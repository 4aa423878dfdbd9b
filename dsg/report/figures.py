"""The figures of a report, as SVG that takes its text colour from the page, light or dark."""

from __future__ import annotations

import base64
import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter
from PIL import Image

from dsg.metrics.statistics import quartiles
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.tables import heading
from dsg.report.worst_case import Curve

TEXT = "#010203"  # stands for the page's own colour
COLOURS = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
STYLE: dict[Any, Any] = {**dict.fromkeys(COLOURS, TEXT), "svg.fonttype": "none", "svg.hashsalt": "report",
         "axes.spines.top": False, "axes.spines.right": False, "grid.alpha": 0.25}  # fmt: skip
MARKERS = "osD^vP*X"
MANY = 300  # points, from which on they are drawn as one picture
PALETTE = 64  # colours of such a picture
WIDE = 100  # the 95th over the 5th percentile, from which on an axis is logarithmic
LONGEST = 36  # characters of a name


def colour(run: int) -> str:
    """Of the run with this index, in figures and tables alike."""
    return to_hex(colormaps["tab10"](run % 10))


@rc_context(STYLE)
def distribution(runs: Sequence[EvaluatedRun], metric: str) -> str:
    """Every image as a point, the quartiles as a bar, the median as a line; a row a run that has the metric."""
    measured_in = [(run.name, colour(i), run.results.values(metric)) for i, run in enumerate(runs)
                   if metric in run.results.images]  # fmt: skip
    figure = Figure((6.2, 0.75 + 0.42 * len(measured_in)), layout="constrained")
    axes = figure.subplots()
    low, high = np.percentile(np.concatenate([values for _, _, values in measured_in]), [5, 95])
    if low > 0 and high > WIDE * low:
        axes.set_xscale("log")
    for y, (_, own, values) in enumerate(measured_in):
        many = len(values) > MANY
        jitter = (np.arange(len(values)) * 0.618034 % 1 - 0.5) * 0.5  # spread evenly, the same every time
        axes.scatter(values, y + jitter, s=7 if many else 14, color=own, alpha=0.45 if many else 0.75, linewidth=0,
                     rasterized=many, zorder=1)  # fmt: skip
        low, middle, high = quartiles(values)
        axes.barh(y, high - low, left=low, height=0.72, color=own, alpha=0.25, zorder=0)
        axes.barh(y, high - low, left=low, height=0.72, fill=False, edgecolor=TEXT, linewidth=0.8, zorder=2)
        axes.vlines(middle, y - 0.36, y + 0.36, color=TEXT, linewidth=2, zorder=2)
    axes.set_yticks(range(len(measured_in)), [_short(name) for name, _, _ in measured_in], parse_math=False)
    axes.set(ylim=(len(measured_in) - 0.45, -0.55))
    axes.set_xlabel(heading(metric, runs), parse_math=False)
    axes.grid(axis="x")
    return _svg(figure)


@rc_context(STYLE)
def cost(runs: Sequence[EvaluatedRun], metric: str) -> str:
    """The metric's mean and interval against seconds and against network evaluations, a point a run."""
    figure = Figure((8.6, max(3.1, 0.9 + 0.2 * len(runs))), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, names, label in zip(
        panels, (("seconds",), ("nfe_forward", "nfe_backward")), ("seconds per image", "network evaluations per image"),
        strict=True,
    ):  # fmt: skip
        _against(panel, runs, metric, names)
        panel.set(xlabel=label)
        panel.grid()
    panels[0].set_ylabel(heading(metric, runs), parse_math=False)
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        legend = figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return _svg(figure)


@rc_context(STYLE)
def curve(runs: Sequence[EvaluatedRun], label: str, curves: Mapping[int, Curve]) -> str:
    """γ ↦ W(γ) of each run, by its index, with the interval at the γ of the tables; `label` is what W is of."""
    figure = Figure((6.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for place, (i, found) in enumerate(curves.items()):
        beside = 0.008 * found.gammas[-1] * (place - (len(curves) - 1) / 2)  # so that every interval is seen
        axes.plot(found.gammas, found.values, color=colour(i), linewidth=1.4, label=_short(runs[i].name))
        reach = [[max(found.at.mean - found.at.low, 0)], [max(found.at.high - found.at.mean, 0)]]
        axes.errorbar(found.gamma + beside, found.at.mean, yerr=reach, color=colour(i), capsize=2, linewidth=1)
    axes.set(xlabel="γ (nats)")
    axes.set_ylabel(label, parse_math=False)
    axes.grid()
    if len(curves) > 1:
        for text in figure.legend(loc="outside right upper", frameon=False, fontsize=8).get_texts():
            text.set_parse_math(False)
    return _svg(figure)


def _against(panel: Axes, runs: Sequence[EvaluatedRun], metric: str, costs: Sequence[str]) -> None:
    spent = []
    for i, run in enumerate(runs):
        found, own = run.results.interval(metric), sum(run.results.mean(name) for name in costs)
        if not math.isfinite(found.mean + own):
            continue
        spent.append(own)
        bounds = np.nan_to_num([[found.mean - found.low], [found.high - found.mean]]).clip(min=0)
        panel.errorbar(
            own, found.mean, yerr=bounds, fmt=MARKERS[i // 10 % len(MARKERS)], color=colour(i), capsize=3, markersize=7,
            label=_short(run.name),
        )  # fmt: skip
    positive = [value for value in spent if value > 0]
    if len(positive) == len(spent) > 0 and max(positive) > 20 * min(positive):
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    elif positive:
        panel.set_xlim(0, 1.1 * max(positive))


def _short(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2 - 1]}…{name[-LONGEST // 2 :]}"


def _of_few_colours(png: re.Match[str]) -> str:
    """The points of many images as a picture with a palette, which takes a fifth of the room."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png.group()))) as image:
        image.convert("RGBA").quantize(PALETTE, Image.Quantize.FASTOCTREE).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _svg(figure: Figure) -> str:
    """Without what would clash with other figures on one page, or point outside."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that matplotlib's font lacks: the browser's has it
        figure.savefig(buffer, format="svg", transparent=True, dpi=150)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=\s]+", _of_few_colours, text)
    return re.sub(r'<g id="[^"]*"', "<g", text).replace(TEXT, "currentColor")
