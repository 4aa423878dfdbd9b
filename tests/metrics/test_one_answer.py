"""metrics.json, the comparison and the report say the same of the same rows, whatever failed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from dsg.comparison.candidate import Candidate
from dsg.comparison.grid import Cell, Grid
from dsg.comparison.plan import Comparison
from dsg.comparison.results import read_results
from dsg.comparison.table import make_table
from dsg.comparison.tuning import Choice
from dsg.metrics.summary import summarise
from dsg.report.read import read_runs
from dsg.report.tables import overview
from dsg.run_folder.folder import RunFolder

FAILED = "failed: the sample is not finite"


def row(image_id: str, sample: int = 0, status: str = "ok", **columns: float | None) -> dict:
    return {"id": image_id, "sample": sample, "seconds": 1.0, "warm_up": False, "status": status, **columns}


CASES = {
    "one of two samples of an image failed": [
        row("a", 0, psnr=20.0), row("a", 1, FAILED), row("b", 0, psnr=30.0), row("b", 1, psnr=30.0),
    ],
    "an image failed": [row("a", psnr=20.0), row("b", psnr=24.0), row("c", status=FAILED)],
    "all failed but one": [row("a", psnr=20.0), row("b", status=FAILED)],
    "values that are not finite": [row("a", psnr=math.inf), row("b", psnr=24.0), row("c", psnr=26.0)],
    "columns of some samples alone": [
        row("a", 0, psnr=20.0, sw=0.5), row("a", 1, psnr=21.0), row("b", 0, psnr=22.0, sw=None),
    ],
    "an infinite 1/p": [row("a", judge_reciprocal=2.0), row("b", judge_reciprocal=math.inf)],
    "a warm-up": [row("a", psnr=20.0) | {"warm_up": True, "seconds": 9.0}, row("b", psnr=21.0)],
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path):
    def make(rows: list[dict]) -> Path:
        folder = RunFolder(tmp_path / "run")
        folder.open({"model": {"task": {"class_path": "tasks.RandomInpainting"}}})
        folder.append(rows)
        folder.finish(summarise(rows))
        return folder.path

    return make


@pytest.mark.parametrize("rows", CASES.values(), ids=CASES)
def test_the_summary_the_comparison_and_the_report_agree(run, rows):
    path = run(rows)
    known = json.loads((path / "metrics.json").read_text())
    (reported,) = read_runs([path])
    compared = read_results(path)
    assert reported.results.failures == compared.failures == len(known["failures"])
    for metric, summary in known["metrics"].items():
        summary.pop("not_finite", None)
        assert reported.results.interval(metric).as_dict() == compared.interval(metric).as_dict() == summary


def test_of_two_samples_of_which_one_failed_the_other_is_the_images_value(run):
    path = run(CASES["one of two samples of an image failed"])
    known = json.loads((path / "metrics.json").read_text())["metrics"]["psnr"]
    assert (known["mean"], known["n"]) == (25.0, 2)
    cell, comparison = Cell("t", "m", "default"), Comparison({"t": {}}, {"m": {}}, ["psnr"])
    (line,) = make_table(
        Grid(comparison, {}, path), {cell: read_results(path)}, {cell: Choice(Candidate())}, {}
    )  # fmt: skip
    assert (line.mean, line.n, line.failures) == (25.0, 2, 1)
    table = overview(read_runs([path]))
    shown = dict(zip(table.header, table.rows[0], strict=True))
    assert (shown["psnr ↑"].value, shown["failed"].text, shown["images"].text) == (25.0, "1", "2")
    assert shown["psnr ↑"].small.endswith("(2)")
