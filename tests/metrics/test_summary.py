"""metrics.json: means over images with intervals, and what failed."""

from __future__ import annotations

import math
from statistics import stdev

import pytest

from dsg.metrics.per_image import per_image
from dsg.metrics.statistics import mean_with_interval
from dsg.metrics.summary import summarise


def good(name: str, **columns) -> dict:
    return {"id": name, "sample": 0, "warm_up": False, "status": "ok", **columns}


def test_the_summary_is_the_mean_of_the_rows_that_did_not_fail():
    failed = {"id": "c", "sample": 0, "status": "failed: the sample is not finite", "psnr": 0.0}
    summary = summarise([good("a", psnr=20.0), good("b", psnr=30.0), failed])
    assert summary["metrics"]["psnr"]["mean"] == 25.0
    assert summary["metrics"]["psnr"]["n"] == 2
    assert summary["images"] == 3
    assert summary["failures"] == [{"id": "c", "sample": 0, "status": "failed: the sample is not finite"}]


def test_seconds_leave_out_the_warm_up_unless_there_is_nothing_else():
    first = good("a", seconds=100.0) | {"warm_up": True}
    assert summarise([first, good("b", seconds=1.0)])["metrics"]["seconds"]["mean"] == 1.0
    assert summarise([first])["metrics"]["seconds"]["mean"] == 100.0


def test_values_that_are_not_finite_are_counted_apart_and_not_averaged_in():
    metrics = summarise([good("a", psnr=math.inf, loss=math.nan), good("b", psnr=30.0, loss=math.nan)])["metrics"]
    assert metrics["psnr"] == {"mean": 30.0, "n": 1, "not_finite": 1}
    assert metrics["loss"] == {"n": 0, "not_finite": 2}


def test_no_rows_have_no_metrics():
    assert summarise([]) == {"metrics": {}, "images": 0, "samples": 0, "failures": []}


def test_samples_of_one_image_are_no_independent_values():
    values = {"a": (20.0, 22.0), "b": (30.0, 32.0)}
    rows = [good(name, psnr=v) | {"sample": k} for name, pair in values.items() for k, v in enumerate(pair)]
    summary = summarise(rows)
    assert summary["metrics"]["psnr"] == mean_with_interval([21.0, 31.0]).as_dict()
    assert (summary["images"], summary["samples"]) == (2, 4)


def test_the_worst_of_an_image_is_not_known_where_a_sample_failed():
    rows = [good("a", psnr=20.0), good("a", psnr=24.0) | {"sample": 1}, good("b", psnr=30.0)]
    rows.append(good("b") | {"sample": 1, "status": "failed: the sample is not finite"})
    found = summarise(rows)["metrics"]
    assert (found["psnr"]["mean"], found["psnr_best"]["mean"], found["psnr_worst"]["mean"]) == (26.0, 27.0, 20.0)


def test_the_spread_of_an_image_is_over_the_samples_that_finished_and_of_two_at_least():
    rows = [good("a", psnr=v, loss=v) | {"sample": k} for k, v in enumerate((20.0, 22.0, 27.0))]
    rows += [good("b", psnr=30.0), good("b") | {"sample": 1, "status": "failed: the sample is not finite"}]
    found = summarise(rows)["metrics"]
    assert found["std_psnr"] == {"mean": stdev([20.0, 22.0, 27.0]), "n": 1}
    assert "std_loss" not in found
    values = per_image(rows).values
    assert values["std_psnr"].keys() == values["psnr_worst"].keys() == {"a"}
    assert per_image(rows).flawed("std_psnr") == {"b"}


def test_single_samples_have_no_spread():
    assert summarise([good("a", psnr=20.0), good("b", psnr=30.0)])["metrics"].keys() == {"psnr"}


def test_a_value_that_is_none_spoils_what_is_made_of_it():
    rows = [good("a", psnr=v) | {"sample": k} for k, v in enumerate((20.0, math.nan))]
    assert per_image(rows).flawed("psnr_best") == {"a"}


def test_the_mean_of_a_heavy_tailed_metric_is_none_where_a_value_is_infinite():
    rows = [good("a", judge_reciprocal=1.5), good("b", judge_reciprocal=math.inf)]
    assert summarise(rows)["metrics"]["judge_reciprocal"] == {"n": 0, "not_finite": 1}
    rows = [good("a", judge_reciprocal_tail=1.5), good("b", judge_reciprocal_tail=math.inf)]
    assert summarise(rows)["metrics"]["judge_reciprocal_tail"] == {"n": 0, "not_finite": 1}


@pytest.mark.parametrize("truths", [(True, False), ("True", "False")], ids=["journal", "table"])
def test_true_and_false_are_one_and_zero_and_names_are_no_metric(truths):
    rows = [{"id": i, "sample": 0, "status": "ok", "hit": hit, "colour": "red"}
            for i, hit in zip("abc", [*truths, truths[0]], strict=True)]  # fmt: skip
    found = summarise(rows)["metrics"]
    assert found["hit"]["mean"] == pytest.approx(2 / 3)
    assert "colour" not in found


def test_a_column_of_numbers_in_which_one_is_a_name_is_refused():
    rows = [{"id": i, "sample": 0, "status": "ok", "psnr": value} for i, value in (("a", "30.1"), ("b", "3O.1"))]
    with pytest.raises(ValueError, match=r"psnr has numbers, and '3O\.1'"):
        summarise(rows)
