"""Who changes place where samples are judged by several: ranks of a comparison's methods, by each of its metrics."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from scipy.stats import kendalltau, rankdata

from benchmarks.experiments.findings import table
from dsg.errors import UserError

METRICS: Mapping[str, str] = {
    "psnr": "PSNR",
    "std_psnr": "std_psnr",
    "psnr_worst": "worst of K",
    "crps_pixel": "CRPS",
    "coverage_pixel_minus_nominal": "coverage − nominal",
}
"""What is ranked, PSNR first. Less of `std_psnr` ranks first, as who asks for consistency would have it; of the last,
what is nearest to 0."""


def places(folder: Path) -> dict[str, str]:
    """A table a task: value and rank of every method, and Kendall's τ of each order with that by PSNR; none where the
    comparison in `folder` has not ended.

    Raises:
        UserError: for a comparison that lacks one of the metrics.
    """
    file = folder / "table.csv"
    if not file.is_file():
        return {}
    with file.open(newline="", encoding="utf-8") as handle:
        found = [row for row in csv.DictReader(handle) if not row.get("cells")]  # of images, not of cells of them
    rows = [row for row in found if row.get("metric") in METRICS and row["mean"]]
    if missing := METRICS.keys() - set(_each(rows, "metric")):
        raise UserError(
            f"{file}: has no {', '.join(sorted(missing))}; run configs/comparison/portraits_consistency.yaml there"
        )
    return {f"consistency_{task}": _places([r for r in rows if r["task"] == task]) for task in _each(rows, "task")}


def _each(rows: list[dict[str, str]], key: str) -> list[str]:
    return list(dict.fromkeys(row[key] for row in rows))


def _places(rows: list[dict[str, str]]) -> str:
    values = {metric: {r["method"]: float(r["mean"]) for r in rows if r["metric"] == metric} for metric in METRICS}
    methods = [m for m in _each(rows, "method") if all(m in known for known in values.values())]
    ranks = {metric: _ranks(metric, [known[m] for m in methods]) for metric, known in values.items()}
    lines = []
    for i in sorted(range(len(methods)), key=lambda i: ranks["psnr"][i]):
        shown = (f"{values[metric][methods[i]]:.3g} ({ranks[metric][i]:g})" for metric in METRICS)
        lines.append([methods[i], *shown])
    tau = (f"{kendalltau(ranks['psnr'], ranks[metric])[0]:.2f}" for metric in METRICS)
    return table(["method", *METRICS.values()], [*lines, ["τ with PSNR", *tau]])


def _ranks(metric: str, values: list[float]) -> list[float]:
    """1 is first; equals share."""
    less = {"psnr": -1.0, "psnr_worst": -1.0}.get(metric, 1.0)
    kept = [abs(value) if metric.startswith("coverage") else less * value for value in values]
    return rankdata(kept).tolist()
