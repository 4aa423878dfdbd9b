"""Whatever ends a run, the next start gives the results of one that was never disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from dsg.module import EvaluationDataModule
from tests import toy_faults
from tests.launch import ROOT, Started, begin_cold, children, command, complete, ended, journal, results, wait_for_rows

SLOW = ("--model.score_model.class_path", "tests.toy_faults.Slow", "--data.batch_size", 1)
TRIALS = [pytest.param(i, marks=[pytest.mark.slow] * (i >= 2)) for i in range(20)]


@pytest.fixture(autouse=True)
def _nobody_waits_in_this_process(monkeypatch):
    monkeypatch.setattr(toy_faults, "PAUSE", 0.0)


@pytest.fixture
def undisturbed(evaluate, tmp_path):
    assert evaluate(*SLOW, into="undisturbed") == 0
    return results(tmp_path / "undisturbed")


@pytest.mark.parametrize("trial", TRIALS)
def test_where_one_process_is_killed_the_other_ends_with_a_word_and_any_number_continues(
    evaluate, settings, tmp_path, undisturbed, trial
):
    chance = random.Random(trial)
    first_dies, ranks = trial % 2 == 1, 3 if trial >= 3 and trial % 3 == 0 else 1
    run = tmp_path / "run"
    process = Started(command(settings, run, *SLOW, ranks=2))
    wait_for_rows(run, chance.randint(1, 3))
    time.sleep(chance.uniform(0, 0.4))
    (other,) = children(process.pid)
    os.kill(process.pid if first_dies else other, signal.SIGKILL)
    stderr = ended(process)
    if first_dies and {row["id"] for row in journal(run)} >= {"b", "d", "more/f"}:
        pass  # the other had done its share already
    elif first_dies:
        assert "error: the first process of this run is gone; finished images are kept" in stderr
    else:
        assert process.returncode == 2
        assert f"process {other}, local rank 1 of this run, was killed by SIGKILL; finished images" in stderr
    assert "Traceback" not in stderr
    assert 0 < len(journal(run)) < 6
    if ranks == 1:
        assert evaluate(*SLOW) == 0
    else:
        complete(Started(command(settings, run, *SLOW, ranks=ranks)))
    assert results(run) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_the_first_process_ends_all_and_the_summary_has_what_each_had_finished(
    evaluate, settings, tmp_path, undisturbed, sent
):
    run = tmp_path / "run"
    process = Started(command(settings, run, *SLOW, ranks=2))
    wait_for_rows(run, 2)
    process.send_signal(sent)
    stderr = ended(process)
    assert process.returncode == 130, stderr
    assert stderr.count("interrupted; finished images are kept") == 1
    assert len(results(run)[0]) == len(journal(run)) < 6
    assert not list(run.rglob("*.tmp"))
    assert evaluate(*SLOW) == 0
    assert results(run) == undisturbed


@pytest.mark.slow
def test_where_all_are_killed_at_once_the_next_start_continues(evaluate, settings, tmp_path, undisturbed):
    run = tmp_path / "run"
    process = Started(command(settings, run, *SLOW, ranks=2))
    wait_for_rows(run, 2)
    for pid in [*children(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    ended(process)
    assert evaluate(*SLOW) == 0
    assert results(run) == undisturbed


@pytest.mark.parametrize("first_dies", [True, False])
def test_a_process_that_is_killed_before_the_first_batch_takes_the_other_along(settings, tmp_path, first_dies):
    run = tmp_path / "run"
    process = Started(command(settings, run, *SLOW, ranks=2))
    # with the settings written, a child is the other process, and no git; it has just begun to import
    while not ((run / "config.yaml").exists() and (others := children(process.pid))):
        time.sleep(0.02)
    os.kill(process.pid if first_dies else others[0], signal.SIGKILL)
    stderr = ended(process)
    if first_dies:
        assert stderr.startswith("error: the first process of this run is gone; finished images are kept, and the same")
        assert len(stderr.splitlines()) == 1
    else:
        assert process.returncode == 2
        assert f"error: process {others[0]}, local rank 1 of this run, was killed by SIGKILL; finished" in stderr


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what is imported is read from /proc")
def test_ctrl_c_while_lightning_is_imported_ends_without_a_traceback(settings, tmp_path):
    process = begin_cold(command(settings, tmp_path / "run", *SLOW))
    while "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert ended(process) == ""
    assert process.returncode == 130
    assert not (tmp_path / "run").exists()


def rounded(found: Any) -> Any:
    """The same, with all numbers in it, also those of a table, to four digits."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    if isinstance(found, list):
        return [rounded(value) for value in found]
    try:
        return float(f"{float(found):.4g}")
    except (TypeError, ValueError):
        return found


@pytest.mark.parametrize("kind", ["samples", "measurements"])
def test_a_picture_that_was_taken_away_is_made_again_and_no_other(evaluate, tmp_path, kind):
    assert evaluate() == 0
    before = results(run := tmp_path / "run")
    (run / kind / "more" / "e.png").unlink()
    others = {path: path.stat().st_mtime_ns for path in run.rglob("*.png") if path.stem != "e"}
    assert evaluate() == 0
    # made again in a smaller batch, where a last digit of its loss may be another one
    (rows, pictures, found), (rows_before, pictures_before, found_before) = results(run), before
    assert [row for row in rows if row["id"] != "more/e"] == [row for row in rows_before if row["id"] != "more/e"]
    assert pictures == pictures_before
    assert rounded([rows, found]) == rounded([rows_before, found_before])
    assert {path: path.stat().st_mtime_ns for path in others} == others


def test_sigterm_while_the_data_is_looked_through_is_not_lost(evaluate, monkeypatch, capsys):
    looked_through = EvaluationDataModule.predict_dataloader

    def interrupted(self):
        signal.raise_signal(signal.SIGTERM)
        return looked_through(self)

    monkeypatch.setattr(EvaluationDataModule, "predict_dataloader", interrupted)
    assert evaluate() == 130
    assert "interrupted; finished images are kept" in capsys.readouterr().err


def test_fresh_begins_anew_and_keeps_the_old_folders_under_the_next_names(evaluate, tmp_path, capsys):
    few, other = ("--data.limit", 1), ("--model.seed", 1)
    assert evaluate(*few) == 0
    before = results(tmp_path / "run")
    assert evaluate(*few, *other) == 2
    assert "model.seed was 0, now 1" in (said := capsys.readouterr().err)
    assert said.rstrip().endswith("begin anew with --fresh")
    assert evaluate(*few, *other, "--fresh") == 0
    after = results(tmp_path / "run")
    assert after != before == results(tmp_path / "run.1")
    assert evaluate(*few, "--fresh") == 0
    assert results(tmp_path / "run") == before
    assert results(tmp_path / "run.2") == after


def test_fresh_leaves_a_folder_alone_that_is_no_run_folder(evaluate, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert evaluate("--fresh") == 2
    assert "not empty and no run folder" in capsys.readouterr().err
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_the_limit_may_change_and_the_summary_is_of_exactly_the_images_asked_for(evaluate, tmp_path):
    run = tmp_path / "run"
    for step, limit in enumerate((3, 2, None, 1)):
        options = ("--data.batch_size", 1) if limit is None else ("--data.batch_size", 1, "--data.limit", limit)
        assert evaluate(*options) == 0
        assert evaluate(*options, into=f"other{step}") == 0
        rows, pictures, metrics = results(run)
        other_rows, other_pictures, other_metrics = results(tmp_path / f"other{step}")
        assert (rows, metrics) == (other_rows, other_metrics)
        assert other_pictures.items() <= pictures.items()
    assert len(pictures) == 12  # what was made stays


@pytest.mark.parametrize("model", ["tests.toy.Toy", "tests.toy_faults.Mistaken"])
def test_the_handlers_of_signals_are_put_back(evaluate, model):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)]
    if model.endswith("Toy"):
        assert evaluate("--data.limit", 1) == 0
    else:
        with pytest.raises(ZeroDivisionError):
            evaluate("--data.limit", 1, "--model.score_model.class_path", model)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)] == before


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("code", "restarts", "requeued"), [(130, 0, True), (130, 20, False), (0, 0, False), (2, 0, False)]
)
@pytest.mark.parametrize("command", ["predict", "compare"])
def test_the_batch_script_requeues_a_run_that_was_interrupted_and_no_other(tmp_path, command, code, restarts, requeued):
    for name, body in (
        ("srun", f'echo "$@" > {tmp_path}/started; exit {code}'),
        ("scontrol", f'echo "$@" > {tmp_path}/asked'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script = ["bash", ROOT / "configs" / "slurm" / f"{command}.sbatch", "--config", "x.yaml", "--run_dir", "y"]
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "7",
        "SLURM_RESTART_COUNT": str(restarts),
    }
    environment |= {"SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "1"}
    assert subprocess.run(script, env=environment, cwd=ROOT, check=False).returncode == code
    assert f"train_free_eval.py {command} --config x.yaml" in (tmp_path / "started").read_text()
    assert (tmp_path / "asked").exists() == requeued
    if requeued:
        assert (tmp_path / "asked").read_text() == "requeue 7\n"
