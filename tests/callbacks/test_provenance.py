"""Every start says what it is made of, once, and where that is not what made the rows before."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from dsg.models.weights import TellsWeights
from dsg.run_folder.provenance import PROVENANCE
from tests.toy import Toy, ToyClassifier


@pytest.fixture
def start(evaluate, capsys):
    """Run with few metrics: `start(*options)` → what was said of provenance."""

    def run(*options: object) -> list[str]:
        capsys.readouterr()
        assert evaluate("--quality.lpips", "[]", "--trainer.logger", "false", *options) == 0
        return [line for line in capsys.readouterr().err.splitlines() if line.startswith("provenance: ")]

    return run


@pytest.fixture
def run(tmp_path) -> Path:
    return tmp_path / "run"


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / PROVENANCE).read_text().splitlines()]


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def starts_of_rows(run: Path) -> list[str]:
    with (run / "per_image.csv").open(newline="") as handle:
        return [row["start"] for row in csv.DictReader(handle)]


def change(run: Path, key: str, value: str, now: str) -> None:
    """As if the starts so far had been made with `value`."""
    text = (run / PROVENANCE).read_text()
    assert f'"{key}": "{now}"' in text
    (run / PROVENANCE).write_text(text.replace(f'"{key}": "{now}"', f'"{key}": "{value}"'))


def test_a_start_says_its_code_versions_weights_and_machine(start, run, monkeypatch):
    monkeypatch.setattr(Toy, "weights", {"toy.pt": "sha256:abc"}, raising=False)
    assert start("--data.limit", 2) == []
    (line,) = lines(run)
    assert line["start"] == 1
    assert line["time"].endswith("+00:00")
    assert set(line["code"]) == {"version", "git", "sources", "own"}
    assert line["code"]["own"].keys() == {"tests.toy.Toy"}
    assert (line["versions"]["numpy"], line["versions"]["torch"]) == (np.__version__, str(torch.__version__))
    assert (line["precision"], line["processes"], line["device"]["count"]) == ("32-true", 1, 1)
    assert line["weights"] == {"score_model/toy.pt": "sha256:abc"}
    assert metrics(run)["provenance"] == {"starts": 1, "changed": {}}
    assert starts_of_rows(run) == ["1", "1"]
    assert "start" not in metrics(run)["metrics"]


def test_a_start_with_another_library_is_said_in_one_line_and_in_metrics_json_and_not_refused(start, run):
    start("--data.limit", 2)
    change(run, "numpy", "1.26.0", np.__version__)
    (line,) = start("--data.limit", 3)
    assert (
        f"samples in {run} are kept that were made otherwise: versions.numpy was 1.26.0, now {np.__version__};" in line
    )
    assert starts_of_rows(run) == ["1", "1", "2"]
    assert metrics(run)["provenance"] == {"starts": 2, "changed": {"versions.numpy": ["1.26.0", np.__version__]}}


def test_starts_that_are_alike_say_nothing_and_one_that_has_nothing_to_do_leaves_no_line(start, run):
    start("--data.limit", 2)
    assert start() == []
    before = (run / PROVENANCE).read_bytes()
    assert start() == []
    assert (run / PROVENANCE).read_bytes() == before
    assert metrics(run)["provenance"] == {"starts": 2, "changed": {}}


def test_a_start_that_only_writes_the_summary_is_recorded_too(start, run):
    start("--data.limit", 2)
    (run / "metrics.json").unlink()
    change(run, "numpy", "1.26.0", np.__version__)
    assert "versions.numpy was 1.26.0" in start("--data.limit", 2)[0]
    assert [line["start"] for line in lines(run)] == [1, 2]
    assert metrics(run)["provenance"]["changed"] == {"versions.numpy": ["1.26.0", np.__version__]}


def test_a_run_folder_of_before_starts_were_recorded_continues_and_says_so(start, run):
    start("--data.limit", 2)
    journal = run / "rows" / "rank0.jsonl"
    journal.write_text(journal.read_text().replace(', "start": 1', ""))
    (run / PROVENANCE).unlink()
    (line,) = start("--data.limit", 3)
    assert f"2 samples in {run} are kept of which nobody recorded what made them" in line
    assert metrics(run)["provenance"] == {"starts": 1, "changed": {}, "unrecorded": 2}
    assert starts_of_rows(run) == ["", "", "1"]


def test_a_class_of_ones_own_that_was_edited_is_said(start, run, tmp_path, monkeypatch):
    file = tmp_path / "edited_method.py"
    file.write_text("from dsg.guidance import Unguided\nclass Mine(Unguided): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    mine = ("--model.guidance", "edited_method.Mine")
    start("--data.limit", 1, *mine)
    file.write_text(file.read_text() + "# edited\n")
    (line,) = start("--data.limit", 2, *mine)
    assert "code.own.edited_method.Mine was sha256:" in line


class Telling(TellsWeights, ToyClassifier):
    weights: ClassVar = {"judge.pt": "sha256:def"}


def test_the_weights_of_networks_that_callbacks_measure_with_are_recorded_too(start, run):
    judge = f"{{class_path: {__name__}.Telling, init_args: {{answer: 1.0}}}}"
    start(
        "--data.limit", 1, "--model.task", "tasks.ClassLabel", "--model.task.classifier", "tests.toy.ToyClassifier",
        "--callbacks.judge", "callbacks.Classification", "--callbacks.judge.judge", judge,
        "--callbacks.opinion", "callbacks.SecondOpinion", "--callbacks.opinion.judges",
        f"[{{class_path: tasks.Feature, init_args: {{network: {judge}}}}}]",
    )  # fmt: skip
    names = {"classification.judge/judge.pt", "second_opinion.0/network/judge.pt"}
    assert lines(run)[0]["weights"] == dict.fromkeys(names, "sha256:def")
