"""The run folder keeps what is finished, whatever happens."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.run_folder.atomic import write_atomically
from dsg.run_folder.folder import RunFolder


def row(image_id: str, sample: int = 0, status: str = "ok", **columns) -> dict:
    return {"id": image_id, "sample": sample, **columns, "status": status}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def journal(folder: RunFolder, rank: int = 0) -> Path:
    return folder.path / "rows" / f"rank{rank}.jsonl"


def files(path: Path) -> list[str]:
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def test_rows_of_all_ranks_come_back_sorted_by_id_and_sample(folder):
    folder.append([row("b"), row("a", 1)], rank=1)
    folder.append([row("a", 0)], rank=0)
    assert [(r["id"], r["sample"]) for r in folder.rows()] == [("a", 0), ("a", 1), ("b", 0)]


def test_a_half_written_line_is_as_if_never_begun_and_the_next_row_is_whole(folder):
    folder.append([row("a"), row("b")])
    with journal(folder).open("rb+") as handle:
        handle.truncate(journal(folder).stat().st_size - 7)
    assert folder.done() == {("a", 0)}
    folder.append([row("b"), row("c")])
    assert folder.done() == {("a", 0), ("b", 0), ("c", 0)}


@pytest.mark.parametrize("image_id", ["with space", "ü/é", "line\u2028separator", 'quote"', "comma,", "new\nline"])
def test_any_name_survives_the_journal_and_the_table(folder, image_id):
    folder.append([row(image_id, psnr=1.5)])
    assert folder.done() == {(image_id, 0)}
    folder.finish({})
    with (folder.path / "per_image.csv").open(newline="", encoding="utf-8") as handle:
        (line,) = csv.DictReader(handle)
    assert line == {"id": image_id, "sample": "0", "psnr": "1.5", "status": "ok"}


def test_a_failed_row_is_tried_again_and_the_later_success_counts(folder):
    folder.append([row("a", status="failed: torn"), row("b")])
    assert folder.done() == {("b", 0)}
    assert folder.failed() == {("a", 0)}
    folder.append([row("a", psnr=20.0)])
    folder.append([row("a", status="failed: an older rank's")], rank=1)
    assert folder.failed() == frozenset()
    assert folder.rows()[0]["psnr"] == 20.0


def test_the_table_has_every_column_with_the_status_last(folder):
    folder.append([row("a", status="failed: x"), row("b", psnr=1.0), row("c", psnr=2.0, ssim=0.5)])
    folder.finish({"metrics": {}})
    lines = (folder.path / "per_image.csv").read_text().splitlines()
    assert lines == ["id,sample,psnr,ssim,status", "a,0,,,failed: x", "b,0,1.0,,ok", "c,0,2.0,0.5,ok"]
    assert json.loads((folder.path / "metrics.json").read_text()) == {"metrics": {}}


def test_a_run_of_no_rows_has_an_empty_table(folder):
    folder.finish({})
    assert (folder.path / "per_image.csv").read_text() == "id,sample,status\n"


SETTINGS = {"model": {"steps": 100, "eta": 1.0}, "data": {"limit": None, "batch_size": 8}, "trainer": {"devices": 1}}


def test_the_same_settings_continue(folder):
    folder.open(SETTINGS)
    before = (folder.path / "config.yaml").read_bytes()
    folder.append([row("a")])
    folder.open(SETTINGS)
    assert (folder.path / "config.yaml").read_bytes() == before


def test_other_settings_are_refused_with_each_difference_named(folder):
    folder.open(SETTINGS)
    folder.append([row("a")])
    other = {"model": {"steps": 50, "eta": 1.0}, "data": {"limit": 5, "batch_size": 8}, "extra": True}
    with pytest.raises(UserError) as refusal:
        folder.open(other)
    message = str(refusal.value)
    for difference in (
        "model.steps was 100, now 50", "data.limit was None, now 5", "extra was None, now True",
        "trainer was {'devices': 1}, now None", "use those settings or another run_dir",
    ):  # fmt: skip
        assert difference in message
    assert "eta" not in message


def test_settings_that_results_do_not_depend_on_may_change(folder):
    folder.open(SETTINGS)
    folder.append([row("a")])
    folder.open({**SETTINGS, "data": {"limit": None, "batch_size": 1}}, ignored=["data.batch_size"])
    folder.open({**SETTINGS, "trainer": {"devices": 8}}, ignored=["trainer"])


def test_comments_above_the_settings_stay(folder):
    folder.open(SETTINGS)
    file = folder.path / "config.yaml"
    file.write_text("# mine\n# made on abacus\n" + file.read_text())
    folder.open({**SETTINGS, "seed": 3})
    assert file.read_text().startswith("# mine\n# made on abacus\nmodel:")
    assert folder.settings() == {**SETTINGS, "seed": 3}


def test_a_run_without_one_row_may_be_begun_anew_with_other_settings(folder):
    folder.open(SETTINGS)
    folder.open({**SETTINGS, "seed": 3})
    folder.append([row("a")])
    with pytest.raises(UserError, match="seed was 3, now None"):
        folder.open(SETTINGS)


def test_a_foreign_folder_and_a_file_are_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty and no run folder"):
        RunFolder(tmp_path).open(SETTINGS)
    with pytest.raises(UserError, match=r"notes\.txt is a file; choose another run_dir"):
        RunFolder(tmp_path / "notes.txt").open(SETTINGS)
    with pytest.raises(UserError, match="Not a directory"):
        RunFolder(tmp_path / "notes.txt" / "run").open(SETTINGS)
    assert files(tmp_path) == ["notes.txt"]


def test_a_folder_of_runs_is_no_run_folder_unless_they_are_of_a_method_that_was_tuned(folder, tmp_path):
    RunFolder(folder.path / "step_size=0.5").open(SETTINGS)
    folder.open(SETTINGS)
    assert folder.settings() == SETTINGS
    RunFolder(tmp_path / "runs" / "mine").open(SETTINGS)
    with pytest.raises(UserError, match="not empty and no run folder"):
        RunFolder(tmp_path / "runs").open(SETTINGS)


def test_the_folder_that_one_is_in_is_not_renamed(folder, monkeypatch):
    folder.open(SETTINGS)
    folder.close()
    monkeypatch.chdir(folder.path)
    with pytest.raises(UserError, match="and you are in it; go to another folder first"):
        RunFolder(Path()).open({**SETTINGS, "seed": 3}, fresh=True)


def test_what_another_rank_is_writing_does_not_make_a_folder_foreign(folder):
    folder.path.mkdir()
    (folder.path / ".0123456789abcdef.tmp").write_bytes(b"half a conf")
    folder.open(SETTINGS)
    folder.open(SETTINGS)


def test_damaged_settings_are_refused(folder):
    folder.open(SETTINGS)
    (folder.path / "config.yaml").write_text("model: [")
    with pytest.raises(UserError, match=r"config\.yaml is damaged"):
        folder.open(SETTINGS)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_whole_and_no_rest(tmp_path, monkeypatch, call):
    write_atomically(tmp_path / "x", b"old")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), full)
    with pytest.raises(UserError, match=r"cannot write .*x: No space left on device; finished images are kept"):
        write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert files(tmp_path) == ["x"]


def test_ctrl_c_while_writing_leaves_the_old_file_whole_and_no_rest(tmp_path, monkeypatch):
    write_atomically(tmp_path / "x", b"old")

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert files(tmp_path) == ["x"]


def test_rows_that_cannot_be_written_are_an_error_in_one_line_and_earlier_rows_stay(folder, monkeypatch):
    folder.append([row("a")])

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*rank0\.jsonl: No space left"):
        folder.append([row("b")])
    assert ("a", 0) in folder.done()
