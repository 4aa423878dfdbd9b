"""Which method, at what cost, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from dsg.metrics.results import Results
from dsg.report.answer import cost_and_why, which
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.read import read_runs
from dsg.report.table import Table
from dsg.report.tables import overview
from dsg.report.why import why
from dsg.run_folder.trace_file import Curve, Trace
from tests.report.pages import IDS, trace

NEARLY = {image: {"quality": 5.0 + (-1) ** i * 0.5} for i, image in enumerate(IDS)}
LOST = {"c": {"status": "failed: the sample is not finite"}}


def texts(table: Table | None, row: int) -> list[str]:
    assert table is not None
    return [cell.text for cell in table.rows[row]]


def of_metric(table: Table | None, metric: str) -> list[str]:
    assert table is not None
    return next([cell.text for cell in row] for row in table.rows if row[0].text == metric)


def test_the_best_who_is_as_good_and_who_is_behind_are_named(make_run):
    names = {"poor": 40.0, "good": 10.0, "fair": 20.0}
    table = which(read_runs([make_run(name, level=level) for name, level in names.items()]))
    _, best, as_good, behind, lost = of_metric(table, "psnr ↑")
    assert (best, as_good, lost) == ("good", "–", "")
    assert [part.split()[0] for part in behind.split(", ")] == ["fair", "poor"]  # the nearest first
    assert all(float(part.split()[1]) < -5 for part in behind.split(", "))


def test_whose_paired_interval_holds_0_is_as_good(make_run):
    twin = {image: {"psnr": 20.0 + (-1) ** i} for i, image in enumerate(IDS)}
    other = {image: {"psnr": 20.1} for image in IDS}
    table = which(read_runs([make_run("one", **twin), make_run("two", **other)]))
    assert of_metric(table, "psnr ↑")[1:4] == ["two", "one", "–"]


def test_who_lost_images_is_not_best_and_it_is_said(make_run):
    runs = read_runs([make_run("good", **LOST), make_run("poor", level=40.0)])
    assert of_metric(which(runs), "psnr ↑")[1:] == ["poor", "–", "–", "good 1"]


def test_who_is_ahead_of_the_best_on_more_images_than_all_have_is_not_behind_and_the_note_says_over_how_many(make_run):
    one = {image: {"psnr": 20.5 if image in "ab" else 10.0} for image in IDS}
    two = {image: {"psnr": 20.0} for image in IDS}
    few = {image: {"psnr": 1.0} for image in "ab"}
    runs = read_runs([make_run("one", **one), make_run("two", **two), make_run("few", ids=["a", "b"], **few)])
    table = which(runs)
    assert of_metric(table, "psnr ↑")[1:4] == ["one", "two +6.5 (ahead on the 6 images both have)", "few -19.5"]
    assert table is not None
    assert "psnr ↑: the best is decided over 2 images that all have; a run has more." in table.notes
    whole = which(runs[:2])
    assert whole is not None
    assert not any("decided over" in note for note in whole.notes)


def test_a_metric_of_all_images_together_ranks_untested(make_run):
    runs = read_runs([make_run("one"), make_run("two")])
    values = [10.0, 12.5]
    runs = [
        replace(run, metrics=["fid"], results=replace(run.results, overall={"fid": {"mean": value}}))
        for run, value in zip(runs, values, strict=True)
    ]
    assert of_metric(which(runs), "fid ↓")[1:4] == ["one", "–", "two +2.500 (untested)"]


def test_the_gap_between_guide_and_judge_ranks_nobody(make_run):
    gaps = {
        name: {image: {"gap_class": value} for image in IDS} for name, value in (("guided", 0.3), ("unguided", 0.0))
    }
    runs = read_runs([make_run(name, **rows) for name, rows in gaps.items()])
    table = which(runs)
    assert table is not None
    assert [row[0].text for row in table.rows] == ["psnr ↑"]
    assert "gap_class → 0" in overview(runs).header
    only = [replace(run, metrics=["gap_class"]) for run in runs]
    assert which(only) is None
    assert cost_and_why(only).header[1] == "first metric"


def test_each_task_has_its_own_best(make_run):
    runs = [make_run(name, level) for name, level in (("a", 10.0), ("b", 20.0), ("c", 40.0), ("d", 30.0))]
    for run in runs[2:]:
        file = run / "config.yaml"
        file.write_text(file.read_text().replace("tasks.RandomInpainting", "tasks.Denoising"))
    table = which(read_runs(runs))
    assert [texts(table, row)[:3] for row in (0, 1)] == [
        ["RandomInpainting", "psnr ↑", "a"],
        ["Denoising", "psnr ↑", "d"],
    ]
    assert [row[0].text for row in cost_and_why(read_runs(runs)).rows] == ["a", "b", "d", "c"]


def test_runs_of_another_seed_are_ranked_with_a_word(make_run):
    runs = [make_run("one"), make_run("two", level=20.0)]
    said = "two: its seed differs from one's, so that the measurements of an image do too."
    for asked in (False, True):
        found = read_runs(runs)
        ranked = which(found)
        assert ranked is not None
        assert [said in table.notes for table in (ranked, cost_and_why(found))] == [asked, asked]
        file = runs[1] / "config.yaml"
        file.write_text(file.read_text().replace("seed: 0", "seed: 1"))


def test_a_run_that_lost_images_stands_behind_those_that_lost_none(make_run):
    levels = {"lossy": 10.0, "lossier": 12.0, "poor": 40.0, "fair": 20.0}
    runs = [make_run(name, level, **(LOST if name.startswith("loss") else {})) for name, level in levels.items()]
    rows = cost_and_why(read_runs(runs)).rows
    assert [row[0].text for row in rows] == ["fair", "poor", "lossy", "lossier"]


def test_a_run_alone_is_the_best_of_nothing(make_run):
    runs = read_runs([make_run("run")])
    assert which(runs) is None
    assert texts(cost_and_why(runs), 0)[0] == "run"


def test_costs_are_told_as_multiples_of_the_least(make_run):
    rows = cost_and_why(read_runs([make_run("fast", level=10.0), make_run("slow", level=25.0)])).rows
    assert [row[2].small for row in rows] == ["× 1", "× 2.5"]


def traced(run: EvaluatedRun, **medians: list[float | None]) -> EvaluatedRun:
    return replace(run, trace=Trace(6, {name: Curve(name, v, v, v, v) for name, v in medians.items()}))


@pytest.fixture
def run(make_run) -> EvaluatedRun:
    return read_runs([make_run("run")])[0]


ON_THE_SHELL, STAYS = {"shell_ratio": [1.0, 1.0, 1.0, None]}, "stays on the noise shell"


@pytest.mark.parametrize(
    ("medians", "words"),
    [
        ({"shell_ratio": [1.0, 1.02, 2.1, None]}, ["leaves the noise shell in step 3 of 4"]),
        ({"shell_ratio": [1.0, 0.5, 1.1, None]}, ["falls below the noise shell in step 2 of 4"]),
        ({"shell_ratio": [1.0, 0.99, 1.1, None]}, ["stays on the noise shell"]),
        (ON_THE_SHELL | {"cosine": [0.0, 0.001, 0.002, None]}, [STAYS, "guidance is lost in the noise"]),
        (ON_THE_SHELL | {"cosine": [0.95, 0.97, 0.99, None]}, [STAYS, "guidance is all there is of a step"]),
        (ON_THE_SHELL | {"cosine": [-0.3, -0.2, -0.1, None]}, [STAYS]),
        ({"cosine": [1.0, 1.0, 1.0, None]}, []),  # without noise
        ({"cosine": [1.0, 0.1, 1.0, None], "shell_ratio": [None, 1.0, None, None]}, [STAYS]),
        ({"loss": [8.0, 4.0, 1.0, 2.0]}, ["the loss rises again after step 3"]),
        ({"loss": [None, 8.0, None, 1.0, 2.0]}, ["the loss rises again after step 4"]),
        ({"loss": [8.0, 0.0, 0.0001]}, []),
        ({"loss": [8.0, 0.0, 0.1]}, ["the loss rises again after step 2"]),
        ({"loss": [-0.1, -0.5]}, []),
        ({"loss": [-0.1, -0.5, -0.2]}, ["the loss rises again after step 2"]),
        ({"loss": [8.0, 8.0, 7.9, 7.8]}, ["the loss hardly falls"]),
        ({"loss": [8.0, 8.0, 7.9, 9.8]}, ["the loss rises"]),
        ({"loss": [8.0, 4.0, 2.0, 1.0], "cosine": [0.1, 0.2, 0.2, None]}, []),
        ({"masked_share": [1.0, 0.5], "entropy": [2.0, 0.5]}, ["entropy of a token from 2 to 0.5 nats"]),
    ],
)
def test_the_trace_is_told_in_words(run, medians, words):
    assert list(why(traced(run, **medians)).words) == words


def test_beside_the_words_stands_over_how_many_samples_they_are(run):
    rows = cost_and_why([traced(run, loss=[2.0, 1.0]), run]).rows
    assert [row[-1].small for row in rows] == ["6 samples", ""]


def test_the_end_is_told_in_words_whether_or_not_there_is_a_trace(make_run):
    fitted = {image: {"residual": 0.4} for image in IDS[1:]}
    run = read_runs([make_run("run", a={"status": "failed: no"}, **fitted)])[0]
    assert list(why(run).words) == ["fits the measurement's noise", "1 failed", "it kept no trace"]
    far = replace(run, results=Results(replace(run.results.per_image, samples={"residual": {"b": [7.0]}})))
    assert "the measurement is not met" in why(far).words


def test_a_damaged_trace_is_said_and_costs_nothing_else(make_run, tmp_path: Path):
    path = trace(make_run("run"), loss=[1.0, 0.5])
    assert read_runs([path])[0].trace is not None
    (path / "trace.json").write_text("{")
    damaged = read_runs([path])[0]
    assert damaged.trace is None
    assert "trace.json is damaged: what happened along the trajectories is not shown" in damaged.notes


def test_tokens_that_are_unmasked_one_a_step_have_no_number_of_steps(make_run):
    path = make_run("run")
    content = yaml.safe_load((path / "config.yaml").read_text())
    content["model"] = {"token_model": {"class_path": "dsg.models.JointTable"}, "steps": None}
    (path / "config.yaml").write_text(yaml.safe_dump(content))
    table = overview(read_runs([path]))
    assert texts(table, 0)[list(table.header).index("steps")] == "one a token"
