"""The comparison over cells of the images: rows, sections, who changes place; and what makes no cells."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from dsg.comparison.candidate import Candidate
from dsg.comparison.check import check_all
from dsg.comparison.grid import Cell, Grid
from dsg.comparison.plan import Comparison
from dsg.comparison.report import report
from dsg.comparison.table import AS_GOOD, BEST, LOST
from dsg.comparison.tuning import Choice
from dsg.comparison.worst_case import OverCells, over_cells
from dsg.data.folder import ImageFolder
from dsg.data.held_out import HeldOutPortraits
from dsg.errors import UserError
from dsg.metrics.cells import Cells
from dsg.metrics.per_image import per_image
from dsg.metrics.results import Results

IDS = [f"{i:02d}" for i in range(36)]
HATS = Cells("hat", {image_id: "cap" if i % 4 == 0 else "none" for i, image_id in enumerate(IDS)})
THIRDS = Cells("third", {image_id: str(i % 3) for i, image_id in enumerate(IDS)})
METHODS: Mapping[str, tuple[float, float]] = {"dps": (28.0, 28.0), "dsg": (25.0, 31.0), "weak": (20.0, 20.0)}
COMPARISON = Comparison({"t": {}}, {name: {} for name in METHODS}, ["psnr", "loss"], gamma=0.5, cells=["hat"])
GRID = Grid(COMPARISON, {}, Path("unused"))


def run(seed: int, cap: float, none: float, failed: tuple[str, ...] = ()) -> Results:
    noise = np.random.default_rng(seed).normal(0, 0.2, len(IDS))
    rows = []
    for i, image_id in enumerate(IDS):
        ok = {"psnr": (cap if HATS.of[image_id] == "cap" else none) + float(noise[i]), "loss": 1.0, "status": "ok"}
        lost = {"status": "failed: the sample is not finite"}
        rows.append({"id": image_id, "sample": 0, **(lost if image_id in failed else ok)})
    return Results(per_image(rows))


RESULTS = {Cell("t", name, "default"): run(k, *levels) for k, (name, levels) in enumerate(METHODS.items())}


def over(results: Mapping[Cell, Results], grid: Grid = GRID) -> OverCells:
    return over_cells(grid, results, {("t", "default"): [HATS]})


def test_every_method_has_a_row_of_its_rebalanced_mean_and_of_its_worst_case_with_differences_to_the_baseline():
    rows = {(row.method, row.gamma): row for row in over(RESULTS).rows}
    assert list(rows) == [(name, gamma) for name in METHODS for gamma in (0.0, 0.5)]
    assert {row.metric for row in rows.values()} == {"psnr"}  # of a loss with noise it is not known what is better
    even, worst = rows["dsg", 0.0], rows["dsg", 0.5]
    assert (even.mean, even.n, even.cells) == (pytest.approx(28.0, abs=0.1), 36, "hat")
    assert (worst.mean, worst.worst_cell) == (pytest.approx(28 - 3 * 0.9123, abs=0.15), "cap")
    assert worst.low < worst.mean < worst.high
    assert worst.difference == pytest.approx(worst.mean - rows["dps", 0.5].mean)
    assert worst.difference_high < 0
    assert rows["dps", 0.5].pairs == 0


def test_who_is_first_by_the_mean_and_second_at_gamma_changes_place():
    found = over(RESULTS)
    worst = {row.method: row for row in found.rows if row.gamma == 0.5}
    assert {method: (row.place_by_mean, row.place) for method, row in worst.items()} == {
        "dps": (2, 1), "dsg": (1, 2), "weak": (3, 3),
    }  # fmt: skip
    assert (worst["dps"].flags, worst["dsg"].flags) == (BEST, "")
    (note,) = found.notes
    assert note.startswith("t, psnr over hat: At γ = 0.5 1 of 3 pairs stand the other way round than by the mean")
    assert "told of dps before dsg" in note


def test_a_method_that_cannot_be_told_from_the_best_at_gamma_says_so():
    twins = RESULTS | {Cell("t", "weak", "default"): run(9, 28.0, 28.0)}
    flags = {row.method: row.flags for row in over(twins).rows if row.gamma == 0.5}
    assert sorted([flags["dps"], flags["weak"]]) == [BEST, AS_GOOD]


def test_a_method_that_lost_images_has_no_place_and_one_that_lost_a_cell_no_row():
    some = RESULTS | {Cell("t", "dps", "default"): run(0, 28.0, 28.0, failed=("01",))}
    worst = {row.method: row for row in over(some).rows if row.gamma == 0.5}
    assert (worst["dps"].place, worst["dps"].flags, worst["dsg"].place) == (0, LOST, 1)
    caps = tuple(image_id for image_id, name in HATS.of.items() if name == "cap")
    found = over(RESULTS | {Cell("t", "dps", "default"): run(0, 28.0, 28.0, failed=caps)})
    assert {row.method for row in found.rows} == {"dsg", "weak"}
    assert found.notes[0] == "t, psnr over hat: dps is left out: the cell 'cap' has fewer than 2 images (0)."


def test_the_tables_have_a_section_of_it_and_without_cells_they_are_what_they_were(tmp_path):
    choices, console = dict.fromkeys(RESULTS, Choice(Candidate())), Console(file=io.StringIO(), width=200)
    for folder, divisions in (("with", {("t", "default"): [HATS]}), ("without", {})):
        grid = Grid(COMPARISON, {}, tmp_path / folder)
        report(grid, RESULTS, choices, {}, console, divisions)
    text = (tmp_path / "with" / "table.md").read_text()
    assert "## t: psnr over hat" in text
    (line,) = [line for line in text.split("over hat")[1].splitlines() if line.startswith("| dsg |")]
    assert line.split("|")[5:7] == [" cap ", " 1 → 2 "]
    assert "1 of 3 pairs stand the other way round" in text
    lines = (tmp_path / "with" / "table.csv").read_text().splitlines()
    plain = (tmp_path / "without" / "table.csv").read_text().splitlines()
    assert lines[: len(plain)] == plain
    assert len(lines) == len(plain) + 6
    assert "over hat" not in (tmp_path / "without" / "table.md").read_text()


def check(data, **options):
    """`check_all` of a comparison of one method with these options, on `data`."""
    comparison = Comparison({"t": {}}, {"m": {}}, ["psnr"], **options)
    return check_all(Grid(comparison, {}, Path("unused")), lambda arguments, built, needed: data)


def test_images_are_divided_before_the_first_sample(monkeypatch):
    monkeypatch.setattr("dsg.comparison.grid.PlannedRun.arguments", lambda run: [])
    divided = check(HeldOutPortraits(limit=64), cells=["label", "pattern"]).divisions["t", "default"]
    assert [len(cells.names) for cells in divided] == [8, 3]
    assert check(HeldOutPortraits(limit=4)).divisions == {("t", "default"): []}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cells": ["hut"]}, "comparison.cells: the data knows no column 'hut' of its images; there are label, hair"),
        ({"cells": ["dye"]}, "comparison.cells: by dye the cell 'dye green' has fewer than 2 images (1)"),
        ({"cells": ["glasses"], "gamma": 1.7}, "comparison.gamma: must be between 0, the mean of the cells, and log 5"),
    ],
)
def test_what_makes_no_cells_is_refused_before_the_first_sample(monkeypatch, options, words):
    monkeypatch.setattr("dsg.comparison.grid.PlannedRun.arguments", lambda run: [])
    with pytest.raises(UserError) as error:
        check(HeldOutPortraits(limit=64), **options)
    assert str(error.value).startswith(words)


def test_without_a_gamma_two_cells_take_log_2_and_more_take_1(tmp_path):
    stated = replace(COMPARISON, gamma=None)
    found = over_cells(Grid(stated, {}, tmp_path), RESULTS, {("t", "default"): [HATS, THIRDS]})
    assert {(row.cells, row.gamma) for row in found.rows if row.gamma} == {("hat", math.log(2)), ("third", 1.0)}


def test_data_that_knows_nothing_of_its_images_says_so(monkeypatch, image_folder):
    monkeypatch.setattr("dsg.comparison.grid.PlannedRun.arguments", lambda run: [])
    with pytest.raises(UserError, match="no column 'label' of its images; it knows none before images are read"):
        check(ImageFolder(str(image_folder), image_size=16), cells=["label"])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"cells": "label"}, "comparison.cells: must be a list of columns, got 'label'"),
     ({"gamma": "much"}, "comparison.gamma: must be a number of nats, at least 0, got 'much'"),
     ({"gamma": -1}, "comparison.gamma: must be a number of nats, at least 0, got -1")],
)  # fmt: skip
def test_what_is_no_column_and_no_number_is_refused(options, words):
    with pytest.raises(UserError) as error:
        Comparison({"t": {}}, {"m": {}}, ["psnr"], **options)
    assert str(error.value) == words


def test_the_comparison_of_all_methods_is_looked_at_over_classes():
    shipped = yaml.safe_load((Path(__file__).parents[2] / "configs/comparison/portraits_linear.yaml").read_text())
    assert shipped["comparison"]["cells"] == ["label"]
