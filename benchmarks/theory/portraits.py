"""The theorem where it has no proof: a learned score in few steps, and a learned judge of portraits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.comparison_runs import settings_and_summary
from benchmarks.experiments.findings import Check, Findings, table
from callbacks.twin import Twin
from dsg import yaml_text
from dsg.errors import UserError
from dsg.metrics.features import read_rgb
from dsg.report.labels import at
from dsg.run_folder.folder import METRICS, RunFolder
from train_free_eval import main

COMPARISON = Path(__file__).parents[2] / "configs" / "comparison" / "theory_portraits.yaml"
REDUCED = {
    "include": [str(COMPARISON)],
    "model": {"steps": 2},
    "data": {"init_args": {"limit": 2, "batch_size": 2}},
    "comparison": {"methods": {"w0.5": None, "w1": None, "w4": None}},
}
CLASSES = 8  # E[1/p(c | x)] at w = 0 by exact score and judge, where the classes come from p(c)
SHOWN = 8  # portraits in the strip
HEADER = ["w", "E[1/p]", "95 %", "s.e.", "E[min(1/p, 100)]", "effective samples", "tail index", "E[p]", "E[log p]",
          "accuracy", "worse than w = 0", "95 %", "fd_portraits", "diversity_pixel"]  # fmt: skip


@dataclass
class Run:
    """A finished run folder at w = γ − 1, with its metrics.json."""

    folder: RunFolder
    w: float
    summary: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Run:
        settings, summary = settings_and_summary(path)
        return cls(RunFolder(path), at(settings, "model.combiner.init_args.guidance_scale") - 1.0, summary)

    def value(self, metric: str, what: str = "mean") -> float:
        """A number of metrics.json; NaN where it has none, as for a mean that is infinite."""
        found = self.summary["metrics"].get(metric, {}).get(what)
        return float("nan") if found is None else float(found)

    def row(self, first: Run) -> list[str | float]:
        """The table's line; `first` is w = 0, from the same noise."""
        reciprocal = {what: self.value("judge_reciprocal", what) for what in ("low", "high", "tail_index")}
        worse, interval = "–", "–"
        if self is not first:
            twin = Twin(str(first.folder.path))
            twin.check(self.folder)
            share = twin.worse(self.folder.rows())
            worse, interval = f"{share.mean:.3f}", f"[{share.low:.3f}, {share.high:.3f}]"
        return [
            f"{self.w:g}", self.value("judge_reciprocal"), f"[{reciprocal['low']:.3f}, {reciprocal['high']:.3f}]",
            self.value("judge_reciprocal", "standard_error"), self.value("judge_reciprocal", "truncated"),
            f"{self.value('judge_reciprocal', 'effective_samples'):.0f}", f"{reciprocal['tail_index']:.2f}",
            self.value("judge_probability"), self.value("judge_log_probability"), self.value("judge_correct"),
            worse, interval, self.value("fd_portraits"), self.value("diversity_pixel"),
        ]  # fmt: skip


def compare(config: Path, out: Path, workers: int) -> list[Run]:
    """The comparison's runs by rising w: those that are finished are kept, others are begun or continued.

    Raises:
        UserError: if it ended by a mistake, or was interrupted.
    """
    code = main(["compare", "--config", str(config), "--out_dir", str(out), "--workers", str(workers)])
    paths = [path.parent for path in out.glob(f"runs/*/*/*/{METRICS}")]
    if code not in (0, 1) or not paths:
        raise UserError(f"{out}: the comparison ended with code {code}; the same command continues it")
    return sorted(map(Run.read, paths), key=lambda run: run.w)


def run(reduced: bool, runs: Path) -> Findings:
    if not reduced:
        return _findings(compare(COMPARISON, runs / "portraits", 2), intervals=True)
    with TemporaryDirectory() as folder:
        config = Path(folder) / "reduced.yaml"
        config.write_text(yaml_text.dump(REDUCED), encoding="utf-8")
        return _findings(compare(config, Path(folder) / "portraits", 1), intervals=False)


def _findings(found: list[Run], intervals: bool) -> Findings:
    """Four samples have no interval to speak of; with `intervals` those at both ends have to be apart."""
    first, last = found[0], found[-1]
    checks = [
        Check(f"portraits, w = {run.w:g}, samples that failed", len(run.summary["failures"]), 0, 0) for run in found
    ]
    if intervals:
        high, low = last.value("judge_reciprocal", "high"), first.value("judge_reciprocal", "low")
        what = f"portraits, the interval of E[1/p] at w = {last.w:g} ends below that at w = {first.w:g}"
        checks.append(Check(what, high, low, 0.0, below=True))
    warnings = [
        [f"{run.w:g}", warning] for run in found for warning in run.summary.get("warnings", []) if "1/p" in warning
    ]
    tables = {
        "portraits": table(HEADER, [run.row(first) for run in found], 3),
        "portraits_warnings": table(["w", "metrics.json warns"], warnings),
    }
    strip = {run.w: [read_rgb(file) for file in _pictures(run.folder)] for run in found}
    return Findings(tables, checks, lambda: _curves(found), {"portraits_samples": lambda: _strip(strip)})


def _curves(found: list[Run]) -> Figure:
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    w = [run.w for run in found]
    mean, low, high, cut = (
        [run.value("judge_reciprocal", what) for run in found] for what in ("mean", "low", "high", "truncated")
    )
    axes[0].fill_between(w, low, high, alpha=0.2, lw=0, label="95 % interval")
    axes[0].plot(w, mean, "o-", label="mean")
    axes[0].plot(w, cut, "s--", color="0.4", mfc="none", label="of min(1/p, 100)")
    axes[0].axhline(CLASSES, color="0.6", ls=":", label="exact, w = 0")
    axes[0].set(ylabel="E[1/p(c | x)]", yscale="log")
    axes[0].legend()
    for ax, metric in zip(axes[1:], ("fd_portraits", "diversity_pixel"), strict=True):
        ax.plot(w, [run.value(metric) for run in found], "o-")
        ax.set(ylabel=metric, ylim=(0, None))
    for ax in axes:
        ax.set(xlabel="w")
    return figure


def _pictures(folder: RunFolder) -> list[Path]:
    ids = sorted({row["id"] for row in folder.rows()})[:SHOWN]
    return [folder.picture_path("samples", image_id, 0) for image_id in ids]


def _strip(pictures: dict[float, list[Any]]) -> Figure:
    """A row each w, a column each portrait: the same noise, and the same class."""
    figure, axes = plt.subplots(len(pictures), SHOWN, figsize=(5.0, 0.6 * len(pictures)), squeeze=False)
    figure.subplots_adjust(left=0.08, right=1, top=1, bottom=0, wspace=0, hspace=0)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[], frame_on=False)
    for line, (w, row) in zip(axes, pictures.items(), strict=True):
        line[0].set_ylabel(f"w = {w:g}", fontsize=7)
        for ax, picture in zip(line, row, strict=False):
            ax.imshow(picture)
    return figure
