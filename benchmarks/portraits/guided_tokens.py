"""What guidance of the portraits' tokens does at few and many steps, from the runs of a comparison: tables, a figure.

    python -m benchmarks.portraits.guided_tokens --comparison runs/portraits_tokens

A line is a scale γ, with rates that are normalised and that are not. Against the number of steps it shows what the
judge recognises, its mean of min(1/p, 100) (`truncated` of judge_reciprocal: one sample can carry the untruncated
mean), the Fréchet distance to held-out portraits, and the recall of them. A second figure has eight samples of every
line at the most steps, a column one class and one noise.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.image import imread

from benchmarks.experiments.comparison_runs import finished_runs, settings_and_summary
from benchmarks.experiments.findings import table
from dsg.errors import UserError
from dsg.report.labels import at

SHOWN: Mapping[str, tuple[str, str, str]] = {
    "judge_correct": ("mean", "judge's accuracy", ".2f"),
    "judge_reciprocal": ("truncated", "E min(1/p, 100)", ".2f"),
    "fd_portraits": ("mean", "Fréchet distance", ".1f"),
    "recall_portraits": ("mean", "recall", ".2f"),
}
"""Of a metric: which of its numbers, what that is called, and its digits."""


@dataclass(frozen=True)
class Guided:
    """A finished run: its folder, its steps, its γ, whether its rates are normalised, and its numbers by metric."""

    path: Path
    steps: int
    scale: float
    normalised: bool
    values: Mapping[str, float]

    @classmethod
    def read(cls, path: Path) -> Guided:
        """Raises UserError for a run that lacks one of the metrics, or that does not guide tokens."""
        settings, summary = settings_and_summary(path)
        scale, normalised = (
            at(settings, f"model.combiner.init_args.{key}") for key in ("guidance_scale", "normalised")
        )
        if not isinstance(scale, float | int) or not isinstance(normalised, bool):
            raise UserError(
                f"{path}: does not guide tokens by one scale; give runs of dsg.masked.combiners.ClassifierFree"
            )
        found = summary["metrics"]
        if missing := SHOWN.keys() - found.keys():
            raise UserError(
                f"{path}: it has no {', '.join(sorted(missing))}; run configs/comparison/portraits_tokens.yaml"
            )
        values = {metric: float(found[metric][which]) for metric, (which, _, _) in SHOWN.items()}
        steps = int(at(settings, "model.steps"))
        return cls(path, steps, float(scale), normalised or scale == 1.0, values)

    @property
    def line(self) -> tuple[float, bool]:
        """At γ = 1 both sorts of rates are one, since Z is 1."""
        return self.scale, self.normalised


def lines_of(runs: list[Guided]) -> dict[tuple[float, bool], dict[int, Guided]]:
    """(γ, normalised): steps: run, normalised ones first."""
    lines: dict[tuple[float, bool], dict[int, Guided]] = {}
    for run in sorted(runs, key=lambda run: (not run.normalised, run.scale, run.steps)):
        lines.setdefault(run.line, {})[run.steps] = run
    return lines


def name_of(scale: float, normalised: bool) -> str:
    return f"γ = {scale:g}" + ("" if normalised else ", not normalised")


def tables(runs: list[Guided]) -> list[str]:
    """Two metrics a table: a row a line, and a column for each metric and number of steps."""
    lines, steps = lines_of(runs), sorted({run.steps for run in runs})
    shown, made = list(SHOWN), []
    for pair in (shown[:2], shown[2:]):
        header = [f"{SHOWN[metric][1]}, {count} steps" for metric in pair for count in steps]
        rows = [[name_of(*line), *(_cell(by_steps.get(count), metric) for metric in pair for count in steps)]
                for line, by_steps in lines.items()]  # fmt: skip
        made.append(table(["rates", *header], rows))
    return made


def _cell(run: Guided | None, metric: str) -> str:
    return "" if run is None else format(run.values[metric], SHOWN[metric][2])


def draw(runs: list[Guided]) -> Figure:
    """A panel a metric, against the number of steps; a colour a γ, dashed where rates are not normalised."""
    lines = lines_of(runs)
    colours = {scale: f"C{i}" for i, scale in enumerate(sorted({run.scale for run in runs}))}
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    for ax, (metric, (_, label, _)) in zip(figure.subplots(1, len(SHOWN)), SHOWN.items(), strict=True):
        for (scale, normalised), by_steps in lines.items():
            numbers = [run.values[metric] for run in by_steps.values()]
            style = {"ls": "-", "marker": "o"} if normalised else {"ls": "--", "marker": "s", "mfc": "none"}
            ax.plot(list(by_steps), numbers, color=colours[scale], label=name_of(scale, normalised), ms=4, **style)
        ax.set(xlabel="steps", ylabel=label, xscale="log", xticks=sorted({run.steps for run in runs}))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        if metric in ("judge_reciprocal", "fd_portraits"):
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter("{x:g}")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def draw_samples(runs: list[Guided], count: int = 8) -> Figure:
    """The first `count` pictures of each line at its most steps: a row a line, a column an image."""
    lines = lines_of(runs)
    figure = Figure(figsize=(count + 2, len(lines)))
    axes = figure.subplots(len(lines), count, squeeze=False)
    for row, (line, by_steps) in zip(axes, lines.items(), strict=True):
        last = by_steps[max(by_steps)]
        row[0].set_ylabel(name_of(*line), rotation=0, ha="right", va="center")
        for ax, file in itertools.zip_longest(row, sorted((last.path / "samples").glob("*.png"))[:count]):
            ax.set(xticks=[], yticks=[])
            if file is not None:
                ax.imshow(imread(file))
    figure.subplots_adjust(left=2 / (count + 2), right=1, bottom=0, top=1, wspace=0.02, hspace=0.02)
    return figure


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparison", type=Path, required=True, help="folder of a comparison, finished or not")
    options = parser.parse_args(arguments)
    try:
        runs = [Guided.read(path) for path in finished_runs(options.comparison)]
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
    print("\n\n".join(tables(runs)))
    draw(runs).savefig(options.comparison / "guided_tokens.png", dpi=90)
    draw_samples(runs).savefig(options.comparison / "guided_tokens_samples.png", dpi=64)


if __name__ == "__main__":
    main()
