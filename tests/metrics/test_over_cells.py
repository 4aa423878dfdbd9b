"""Cells of images, what runs are worth over them, and who changes place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dsg.errors import UserError
from dsg.metrics.cells import Cells
from dsg.metrics.direction import LESS, MORE, Direction
from dsg.metrics.order_over_cells import (
    places,
    standings_over_cells,
    turns,
    turns_in_words,
    verdict_over_cells,
)
from dsg.metrics.over_cells import RunsOverCells
from dsg.metrics.per_image import per_image
from dsg.metrics.results import Results
from dsg.metrics.statistics import mean_of_cells, mean_with_interval

IDS = [f"{i:02d}" for i in range(24)]
HAT = {image_id: "cap" if i % 4 == 0 else "none" for i, image_id in enumerate(IDS)}
BEARD = {image_id: "full" if i % 3 == 0 else "none" for i, image_id in enumerate(IDS)}
COLUMNS = {"hat": HAT, "beard": BEARD, "same": dict.fromkeys(IDS, 3), "place": dict(zip(IDS, range(24), strict=True))}
BY_HAT = Cells.divide("hat", COLUMNS, "--cells")


def run(values: dict[str, float], failed: tuple[str, ...] = (), metric: str = "psnr") -> Results:
    rows = [{"id": i, "sample": 0, "status": "ok", metric: v} for i, v in values.items() if i not in failed]
    return Results(per_image([*rows, *({"id": i, "sample": 0, "status": "failed: x"} for i in failed)]))


def drawn(seed: int, cap: float, none: float) -> dict[str, float]:
    noise = np.random.default_rng(seed).normal(0, 0.1, 24)
    return {i: (cap if HAT[i] == "cap" else none) + float(x) for i, x in zip(IDS, noise, strict=True)}


EVEN, UNEVEN = run(drawn(0, 28.0, 28.0)), run(drawn(1, 25.0, 31.0))
RIVALS = RunsOverCells({"even": EVEN, "uneven": UNEVEN}, "psnr", MORE, BY_HAT, 0.5)


def test_columns_make_cells_alone_and_together():
    assert BY_HAT.names == ["hat cap", "hat none"]
    both = Cells.divide("hat+beard", COLUMNS, "--cells")
    assert both.names == ["hat cap, beard full", "hat cap, beard none", "hat none, beard full", "hat none, beard none"]
    assert both.sizes(IDS[:3])["hat cap, beard none"] == 0
    assert both.numbered(["00", "01"]).tolist() == [0, 3]


def test_a_class_that_has_a_name_is_called_by_it():
    names = Cells.divide("label", {"label": HAT}, "--cells").names
    assert names == ["cap", "none"]
    assert Cells.divide("label", {"label": {"a": 0, "b": 0, "c": 1, "d": 1}}, "--cells").names == ["label 0", "label 1"]


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("hut", "--cells: the data knows no column 'hut' of its images; there are hat, beard, same, place"),
        ("same", "--cells: all images have the same same, 3; take a column of two values or more"),
        ("place", "--cells: by place 24 cells have fewer than 2 images (1 of 'place 0'), and half"),
    ],
)
def test_columns_that_make_no_cells_are_refused_in_a_line(by, words):
    with pytest.raises(UserError) as error:
        Cells.divide(by, COLUMNS, "--cells")
    assert str(error.value).startswith(words)


def test_an_image_without_a_value_is_named():
    with pytest.raises(UserError, match="the image 05 has no hat"):
        Cells.divide("hat+beard", COLUMNS | {"hat": {i: v for i, v in HAT.items() if i != "05"}}, "--cells")


def test_runs_that_divide_an_image_differently_are_not_looked_at_together():
    other = Cells("hat", HAT | {"04": "hat cap"})
    assert Cells.merged([BY_HAT, Cells("hat", {"x": "hat none"})]).of["x"] == "hat none"
    with pytest.raises(UserError, match="cells by hat: the image 0"):
        Cells.merged([BY_HAT, other])


def test_the_rebalanced_mean_weighs_an_image_by_one_over_the_density_of_its_cell():
    cells = BY_HAT.numbered(IDS)
    values = np.array(list(drawn(3, 20.0, 30.0).values()))
    found = mean_of_cells(values, cells)
    assert found.mean == pytest.approx(np.average(values, weights=1 / np.bincount(cells)[cells]))
    se = math.sqrt(sum(values[cells == c].var(ddof=1) / (cells == c).sum() for c in (0, 1))) / 2
    assert (found.se, found.n) == (pytest.approx(se), 24)
    assert mean_of_cells(values - 25, cells).low == pytest.approx(found.low - 25)


def test_equal_cells_of_equal_spread_have_students_own_interval():
    values = np.random.default_rng(0).normal(size=40)
    values = np.concatenate([values, values])  # two cells, the second a copy of the first
    one, both = mean_with_interval(values[:40]), mean_of_cells(values, np.repeat([0, 1], 40))
    assert both.se == pytest.approx(one.se / math.sqrt(2))


def test_a_run_is_told_its_mean_its_rebalanced_mean_its_worst_case_and_its_worst_cell():
    found = RIVALS.of("uneven")
    assert (found.cell, found.of_cell.n) == ("hat cap", 6)
    assert found.mean.mean == pytest.approx(29.5, abs=0.1)
    assert found.rebalanced.mean == pytest.approx(28.0, abs=0.1)
    # of two cells 6 apart, q = (1 + x)/2 with KL = 0.5 puts x = 0.912 (by hand) on the worse one
    assert found.worst.mean == pytest.approx(28.0 - 3 * 0.9123, abs=0.1)
    assert found.uncorrected == pytest.approx(found.worst.mean, abs=0.05)
    assert found.worst.low < found.worst.mean < found.worst.high < found.rebalanced.low


def test_the_one_with_the_better_mean_may_be_the_worse_one_at_gamma():
    assert turns(RIVALS)[1] == 1
    ((turn,), pairs) = turns(RIVALS)
    assert (turn.ahead, turn.behind, turn.clear) == ("uneven", "even", True)
    assert "1 of 1 pairs stand the other way round than by the mean: both orders are told of even before uneven" in (
        turns_in_words([turn], pairs, 0.5, {"even": "even", "uneven": "uneven"})
    )
    assert verdict_over_cells(RIVALS, "even", "uneven") == "better"
    assert RIVALS.rebalanced_difference("even", "uneven").mean == pytest.approx(0, abs=0.15)
    standing = standings_over_cells(RIVALS)
    assert (standing["even"].best, standing["uneven"].best, standing["uneven"].as_good) == (True, False, False)
    assert places(RIVALS, {"even": 28.0, "uneven": 29.5}) == {"uneven": 1, "even": 2}


def test_a_change_of_place_is_clear_only_where_both_intervals_leave_out_zero():
    """The uneven run is ahead by 0.1 on average, and by −3 and 1.1 in its cells: its mean may as well be behind."""
    runs = RunsOverCells({"even": EVEN, "uneven": run(drawn(1, 25.0, 29.1))}, "psnr", MORE, BY_HAT, 0.5)
    by_mean = runs.runs["uneven"].difference(runs.runs["even"], "psnr", MORE)
    assert (by_mean.leaves_out_zero, runs.difference("uneven", "even").leaves_out_zero) == (False, True)
    ((turn,), pairs) = turns(runs)
    assert (turn.ahead, turn.behind, turn.clear) == ("uneven", "even", False)
    assert "by the mean: of each of them a paired interval" in turns_in_words([turn], pairs, 0.5, {})


def test_where_less_is_better_the_worst_cell_is_the_largest_and_signs_are_kept():
    values = {image_id: 60 - value for image_id, value in drawn(1, 25.0, 31.0).items()}
    mirrored = RunsOverCells({"a": run(values, metric="lpips_vgg")}, "lpips_vgg", LESS, BY_HAT, 0.5).of("a")
    plain = RIVALS.of("uneven")
    assert mirrored.worst.mean == pytest.approx(60 - plain.worst.mean)
    assert (mirrored.worst.low, mirrored.worst.high) == pytest.approx((60 - plain.worst.high, 60 - plain.worst.low))
    assert mirrored.cell == plain.cell


def test_of_a_metric_with_a_right_value_its_distance_to_it_is_looked_at():
    values = {image_id: 0.8 if HAT[image_id] == "cap" else 1.1 for image_id in IDS}
    found = RunsOverCells({"a": run(values, metric="residual")}, "residual", Direction(-1, 1.0), BY_HAT, 0.5).of("a")
    assert (found.cell, found.rebalanced.mean) == ("hat cap", pytest.approx(0.15))


def test_a_run_that_lost_images_is_neither_best_nor_as_good_nor_better():
    lost = run(drawn(0, 40.0, 40.0), failed=("03",))
    rivals = RunsOverCells({"lost": lost, "whole": UNEVEN}, "psnr", MORE, BY_HAT, 0.5)
    standing = standings_over_cells(rivals)
    assert (standing["lost"].best, standing["lost"].lost, standing["whole"].best) == (False, 1, True)
    assert verdict_over_cells(rivals, "lost", "whole") == ""
    assert verdict_over_cells(rivals, "whole", "lost") == ""


def test_the_difference_to_itself_is_0_and_that_of_two_draws_is_not_told():
    twin = RunsOverCells({"a": EVEN, "b": run(drawn(7, 28.0, 28.0))}, "psnr", MORE, BY_HAT, 0.5)
    assert twin.difference("a", "a").mean == 0.0
    assert not twin.difference("a", "b").leaves_out_zero
    assert verdict_over_cells(twin, "a", "b") == verdict_over_cells(twin, "a", "b", at_gamma=False) == ""
    curve = twin.curve("a", np.array([0.0, 0.5]))
    assert curve.tolist() == pytest.approx([twin.of("a").rebalanced.mean, twin.of("a").worst.mean])


def test_the_interval_of_two_cells_is_half_of_welch_s_of_one_against_minus_the_other():
    rng = np.random.default_rng(0)
    one, other = rng.normal(30, 1, 5), rng.normal(25, 4, 9)
    found = mean_of_cells(np.concatenate([one, other]), np.repeat([0, 1], [5, 9]))
    known = stats.ttest_ind(one, -other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((known.low / 2, known.high / 2))
