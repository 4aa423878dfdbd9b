"""Submissions side by side: which may be, and who is who."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from dsg.bench.board import read_board
from dsg.bench.standing import overall, rank_all, time_against
from dsg.bench.suite import digest
from dsg.bench.task_sheet import of_task
from dsg.errors import UserError
from dsg.metrics.per_image import per_image
from dsg.metrics.results import Results


def test_submissions_of_two_suites_are_refused_in_one_line_that_names_both(bench, submit, tmp_path, capsys):
    def more_steps(found):
        chapters = found["suite"]["chapters"]
        chapters["noise"]["model"]["steps"] = 50
        found["suite"] |= {"version": 2, "hash": digest(chapters)}

    folders = submit("alice", {"dps": 20.0}), submit("bob", {"mine": 21.0}, more_steps)
    assert bench("page", *folders, "--out", tmp_path / "page") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "alice is of the suite tiny 1 (sha256:" in err
    assert "bob of tiny 2 (sha256:" in err
    assert "noise.model.steps was 3, now 50" in err
    assert not (tmp_path / "page").exists()


def other_images(found):
    rows = found["methods"]["mine"]["results"]["noise"]["denoising"]["default"]["rows"]
    rows[1] = rows[1].replace("a,", "z,", 1)


def dearer(found):
    found["methods"]["mine"]["results"]["noise"]["denoising"]["default"]["tried"] = 3


def no_numbers(found):
    found["methods"]["mine"]["results"]["noise"]["denoising"]["default"]["rows"][1] = "a,0,many,1,3,3,0.1,ok"


def nothing(found):
    found["methods"]["mine"] = {}


def odd(key, value):
    def change(found):
        found["methods"]["mine"]["results"]["noise"]["denoising"]["default"][key] = value

    return change


def no_budget(found):
    chapters = found["suite"]["chapters"]
    del chapters["noise"]["comparison"]["tuning"]["budget"]
    found["suite"]["hash"] = digest(chapters)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (no_budget, "suite.chapters.noise.comparison.tuning.budget is missing or not what it should be"),
        (odd("tried", -5), "methods.mine.results.noise.denoising.default is missing or not what it should be"),
        (odd("overall", {"psnr": 3}), "methods.mine.results.noise.denoising.default is missing or not what"),
        (lambda found: found.update(cells={"noise": {"denoising": {"label": {}}}}), "cells.noise.denoising.label is"),
        (lambda found: found.update(cells={"noise": {"denoising": {"label": {"a": [1]}}}}), "cells.noise.denoising"),
        (other_images, "on noise/denoising mine is of other images than dps"),
        (dearer, "tried 3 candidates; all have 2"),
        (no_numbers, "has a row that is none of a run"),
        (nothing, "methods.mine.class_path is missing"),
        (lambda found: found.update(format=0), "is no submission of format 1"),
        (lambda found: found["suite"].update(hash="sha256:00"), "was changed after it was made"),
    ],
)
def test_a_submission_of_other_images_another_budget_or_another_shape_is_refused(submit, change, said):
    with pytest.raises(UserError, match=said):
        read_board([submit("alice", {"dps": 20.0}), submit("bob", {"mine": 21.0}, change)])


def test_a_submission_that_was_changed_is_known_by_its_seal_and_one_that_is_given_twice_by_its_own(submit, tmp_path):
    alice, bob = submit("alice", {"dps": 20.0}), submit("bob", {"mine": 21.0})
    with pytest.raises(UserError, match="is the same as alice"):
        read_board([alice, bob, alice])
    found = json.loads((bob / "submission.json").read_text())
    found["methods"]["mine"]["about"] = "the best"
    (bob / "submission.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match="was changed after it was made"):
        read_board([alice, bob])
    with pytest.raises(UserError, match=r"holds no submission\.json"):
        read_board([tmp_path / "carol"])
    (bob / "submission.json").write_text(json.dumps(found).replace("the best", r"\ud800"))
    with pytest.raises(UserError, match="cannot be read as JSON"):
        read_board([alice, bob])


def test_cells_are_what_all_submissions_say_and_two_that_contradict_each_other_are_refused(submit):
    def cells(of):
        return lambda found: found.update(cells={"noise": {"denoising": {"label": of}}})

    alice = submit("alice", {"dps": 20.0}, cells({"a": "x", "b": "x", "c": "y"}))
    bob = submit("bob", {"mine": 21.0}, cells({"d": "y"}))
    board = read_board([alice, bob])
    assert board.tasks[1].divisions[0].of == {"a": "x", "b": "x", "c": "y", "d": "y"}
    carol = submit("carol", {"hers": 21.0}, cells({"d": "x"}))
    with pytest.raises(UserError, match="the image d is 'y' in one run and 'x' in another"):
        read_board([alice, bob, carol])


def test_the_page_has_no_difference_to_a_baseline_that_does_not_fit_a_task_and_marks_every_mean_of_survivors(submit):
    def unfit(found):
        found["methods"]["dps"]["results"]["noise"]["denoising"]["default"] = {"unfit": "no noise, please"}

    def lost(found):
        rows = found["methods"]["mine"]["results"]["noise"]["denoising"]["default"]["rows"]
        rows[1] = "a,0,,,3,3,0.01,failed: not finite"

    board = read_board([submit("alice", {"dps": 20.0}, unfit), submit("bob", {"mine": 21.0, "sound": 19.0}, lost)])
    sheet = of_task(board, rank_all(board)[1])
    headings = [column.name for column in sheet.columns]
    assert not [heading for heading in headings if heading.endswith("− dps")]
    for metric in ("psnr ↑", "ssim ↑"):
        assert "‡" in sheet.columns[headings.index(metric)].cell("mine").text
        assert "‡" not in sheet.columns[headings.index(metric)].cell("sound").text


def test_two_of_one_name_are_told_apart_by_their_submissions(submit):
    board = read_board([submit("alice", {"dps": 20.0}), submit("bob", {"dps": 20.5})])
    assert [method.label for method in board.methods] == ["dps", "dps (bob)"]
    assert set(board.tasks[0].results) == {"dps", "dps (bob)"}


def test_who_is_not_told_from_whom_is_in_the_places_and_a_task_that_does_not_fit_counts_as_the_last(submit):
    def unfit(found):
        found["methods"]["narrow"]["results"]["noise"]["denoising"]["default"] = {"unfit": "no noise, please"}

    everybody = {"dps": 20.0, "dsg": 20.0, "weak": 15.0, "narrow": 30.0}
    board = read_board([submit("alice", everybody, unfit)])
    ranked = rank_all(board)
    holes, noise = ranked
    assert holes.best == "narrow"
    assert {holes.place(name).place for name in ("dps", "dsg")} == {2}  # the same numbers
    assert all((holes.place(name).first, holes.place(name).last) == (2, 3) for name in ("dps", "dsg"))
    assert noise.place("narrow").place == 4
    found = overall("narrow", ranked)
    assert (found.place, found.leads, found.fits, found.tasks) == (2.5, 1, 1, 2)
    assert [overall(name, ranked).leads for name in ("dps", "dsg", "weak")] == [1, 1, 0]  # dsg is not told from dps


def test_the_time_against_the_baseline_is_the_geometric_mean_of_the_ratios_over_tasks():
    def task(own: float, base: float) -> Any:
        rows = ({"id": "a", "sample": 0, "status": "ok", "seconds": seconds} for seconds in (own, base))
        mine, dps = (Results(per_image([row])) for row in rows)
        return SimpleNamespace(board=SimpleNamespace(results={"m": mine, "dps": dps}, baseline="dps"))

    assert time_against("m", [task(2.0, 1.0), task(4.0, 0.5)]) == pytest.approx(4.0)
