"""Control against quality, from finished runs of a sweep."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.trade_off import main, points_of
from dsg.metrics.summary import summarise
from dsg.run_folder.folder import RunFolder

CONTROL = {0.05: 0.2, 0.1: 0.4, 0.3: 0.8}


@pytest.fixture
def sweep(tmp_path: Path):
    """A run a strength, and one that has not ended: `sweep(name, **options)` → their folder."""

    def make(name: str, score: str = "judge_mean_iou", **options: object) -> Path:
        for rate, control in CONTROL.items():
            guidance = {"class_path": "dsg.guidance.DSG", "init_args": {"guidance_rate": rate, **options}}
            folder = RunFolder(tmp_path / name / str(rate))
            folder.open({"model": {"task": {"class_path": "tasks.Segmentation"}, "guidance": guidance, "steps": 10}})
            rows = [{"id": i, "sample": 0, "seconds": 1.0, "status": "ok", "mean_iou": 0.9, score: control + 0.01 * k}
                    for k, i in enumerate("ab")]  # fmt: skip
            folder.append(rows)
            summary = summarise(rows)
            summary["metrics"]["fd_portraits"] = {"mean": 100 * rate, "n": 2}
            folder.finish(summary)
        unfinished = RunFolder(tmp_path / name / "unfinished")
        unfinished.open({"model": {"task": {"class_path": "tasks.Segmentation"}}})
        return tmp_path / name

    return make


def test_a_line_goes_through_the_strengths_of_a_method_and_the_judge_is_what_control_means(sweep, tmp_path):
    assert main([str(sweep("fixed")), "--out", str(tmp_path / "out")]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/trade_off.csv").read_text())))
    assert [(r["task"], r["method"], r["strength"], r["control"]) for r in rows] == [
        ("Segmentation", "DSG", rate, "judge_mean_iou") for rate in ("0.05", "0.1", "0.3")
    ]
    assert [float(row["mean"]) for row in rows] == pytest.approx([0.205, 0.405, 0.805])
    assert [float(row["value"]) for row in rows] == pytest.approx([5, 10, 30])
    assert float(rows[0]["low"]) < 0.2 < float(rows[0]["high"])
    with Image.open(tmp_path / "out/trade_off.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_variants_of_a_method_are_lines_of_their_own(sweep):
    runs = [run for name in ("fixed", "free") for run in sorted(sweep(name, radius=name).glob("0*"))]
    names = [point.method for point in points_of(runs, "mean_iou", "fd_portraits")]
    assert names == ["DSG, radius=fixed"] * 3 + ["DSG, radius=free"] * 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--control", "judge_text_score"], "has no judge_text_score; it has fd_portraits, judge_mean_iou, mean_iou"),
        (["--quality", "fid_clean"], "has no fid_clean; it has"),
    ],
)
def test_a_metric_that_no_run_has_is_refused_with_those_that_there_are(sweep, tmp_path, capsys, options, words):
    assert main([str(sweep("fixed")), "--out", str(tmp_path / "out"), *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_finished_runs_is_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "trade_off: no finished run in" in capsys.readouterr().err
