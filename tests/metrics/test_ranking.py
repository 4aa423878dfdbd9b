"""Who is best, and what may not be claimed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from dsg.metrics.direction import LESS, MORE, UNKNOWN, Direction, direction_of
from dsg.metrics.per_image import per_image
from dsg.metrics.ranking import best_of, by_quality, standings, verdict, with_fewest_failures
from dsg.metrics.results import Results

NEAR_1 = Direction(-1, 1.0)


def run(values: dict[str, float], failed: str = "", metric: str = "psnr") -> Results:
    rows = [{"id": key, "sample": 0, "status": "ok", metric: value} for key, value in values.items()]
    return Results(per_image([*rows, *({"id": key, "sample": 1, "status": "failed: x"} for key in failed)]))


def drawn(seed: int, shift: float = 0.0) -> dict[str, float]:
    return dict(zip("abcdefgh", (np.random.default_rng(seed).normal(30 + shift, 1, 8)).tolist(), strict=True))


@pytest.mark.parametrize(
    ("metric", "direction"),
    [("psnr", MORE), ("psnr_worst", MORE), ("std_psnr", UNKNOWN), ("diversity_pixel", UNKNOWN),
     ("crps_pixel", LESS), ("coverage_pixel", UNKNOWN), ("spread_ratio", NEAR_1),
     ("lpips_vgg_best", LESS), ("mean_error", LESS), ("residual", NEAR_1),
     ("gap_style_distance", UNKNOWN), ("gap_style_distance_tail", UNKNOWN), ("gap_mean_iou_tail", Direction(-1, 0.0)),
     ("mean_iou_tail", MORE), ("judge_caption_accuracy_tail", MORE), ("landmark_error_tail", LESS),
     ("residual_tail", NEAR_1),
     ("recall_portraits", MORE), ("precision_inception", MORE),
     ("loss", UNKNOWN), ("reciprocal_residual", UNKNOWN), ("off_manifold", UNKNOWN)],
)  # fmt: skip
def test_a_metrics_direction_is_known_by_its_name(metric, direction):
    assert direction_of(metric) == direction


def test_a_smaller_loss_is_better_only_without_noise():
    assert direction_of("loss", noisy=False) == LESS
    assert [d.arrow for d in (MORE, LESS, NEAR_1, UNKNOWN)] == ["↑", "↓", "→ 1", ""]


@pytest.mark.parametrize("direction", [MORE, LESS, NEAR_1])
def test_the_best_has_the_best_mean_of_what_is_compared(direction):
    rivals = {"low": run({"a": 0.3, "b": 0.5}), "right": run({"a": 0.9, "b": 1.2}), "high": run({"a": 3.0, "b": 4.0})}
    assert best_of(rivals, "psnr", direction) == {MORE: "high", LESS: "low", NEAR_1: "right"}[direction]
    assert best_of(rivals, "psnr", UNKNOWN) is None


def test_samples_of_an_image_that_lie_on_both_sides_of_the_right_value_are_not_near_to_it():
    def of_two(low: float, high: float) -> Results:
        rows = [{"id": key, "sample": k, "status": "ok", "residual": value}
                for key in "ab" for k, value in enumerate((low, high))]  # fmt: skip
        return Results(per_image(rows))

    rivals = {"cancel": of_two(0.2, 1.8), "near": of_two(1.01, 1.01)}
    assert rivals["cancel"].compared("residual", NEAR_1) == pytest.approx({"a": 0.8, "b": 0.8})
    assert best_of(rivals, "residual", NEAR_1) == "near"


def test_means_that_cancel_are_not_near_to_the_right_value():
    rivals = {"cancel": run({"a": 0.2, "b": 1.8}), "near": run({"a": 1.1, "b": 1.1})}
    assert best_of(rivals, "psnr", NEAR_1) == "near"


@pytest.mark.parametrize("seed", range(5))
def test_a_failed_sample_never_makes_a_run_best_or_better(seed):
    """Whatever samples of a run fail: nothing is claimed in its favour against one that has them."""
    mine, other = drawn(seed), drawn(seed + 100)
    for lost in itertools.chain.from_iterable(itertools.combinations(mine, k) for k in (1, 2, 7)):
        for kept in (mine, {key: value for key, value in mine.items() if key not in lost}):  # in part, in whole
            after = standings({"mine": run(kept, "".join(lost)), "other": run(other)}, "psnr", MORE)
            assert not after["mine"].best
            assert not after["mine"].as_good
            assert after["mine"].lost == len(lost)
            assert after["other"].best
            assert verdict(run(kept, "".join(lost)), run(other), "psnr", MORE) in ("", "worse")


def test_a_value_as_bad_as_can_be_counts_as_a_failure_and_one_as_good_as_can_be_does_not():
    other = run({"a": 30.0, "b": 30.5, "c": 30.0})
    for bad in (math.nan, -math.inf):
        found = standings({"mine": run({"a": 40.0, "b": 40.0, "c": bad}), "other": other}, "psnr", MORE)
        assert (found["mine"].best, found["mine"].lost, found["other"].best) == (False, 1, True)
    found = standings({"mine": run({"a": 40.0, "b": 40.0, "c": math.inf}), "other": other}, "psnr", MORE)
    assert (found["mine"].best, found["mine"].lost) == (True, 0)


def test_where_every_run_lost_another_image_nobody_is_best():
    found = standings({"one": run({"a": 1.0}, "b"), "two": run({"b": 2.0}, "a")}, "psnr", MORE)
    assert [(s.best, s.as_good, s.lost) for s in found.values()] == [(False, False, 1)] * 2


def test_one_pair_tells_no_two_runs_apart():
    found = standings({"one": run({"a": 1.0}), "two": run({"a": 9.0})}, "psnr", MORE)
    assert (found["one"].as_good, found["two"].best) == (True, True)
    assert verdict(run({"a": 9.0}), run({"a": 1.0}), "psnr", MORE) == ""


def test_a_metric_of_all_images_together_is_ranked_too_but_not_of_a_run_that_lost_samples():
    def whole(fid: float, failed: str = "") -> Results:
        return Results(run({"a": 1.0, "b": 1.0}, failed).per_image, {"fid_clean": {"mean": fid, "n": 2}})

    found = standings({"one": whole(9.0), "two": whole(5.0), "three": whole(1.0, "b")}, "fid_clean", LESS)
    assert [s.best for s in found.values()] == [False, True, False]
    assert not any(s.as_good for s in found.values())  # there is no pair that could tell
    assert found["three"].lost == 1


def test_the_fewest_failures_count_before_the_mean():
    rivals = {"failing": run({"a": 40.0}, "b"), "one": run({"a": 30.0, "b": 30.0}), "two": run({"a": 31.0, "b": 30.0})}
    left = with_fewest_failures(rivals, "psnr")
    assert list(left) == ["one", "two"]
    assert best_of(left, "psnr", MORE) == "two"
    assert best_of({"none": run({})}, "psnr", MORE) is None


@pytest.mark.parametrize("metric", ["lpips_vgg", "lpips_vgg_best", "lpips_vgg_worst", "std_lpips_vgg"])
def test_an_image_whose_value_is_as_bad_as_can_be_counts_as_failed_by_what_several_samples_say_too(metric):
    rivals = {
        "good": run({"a": 0.1, "b": 0.1}, metric="lpips_vgg"),
        "bad": run({"a": math.nan, "b": 0.1}, metric="lpips_vgg"),
    }
    assert list(with_fewest_failures(rivals, metric)) == ["good"]


def test_an_image_that_no_rival_has_is_not_lost_to_one():
    rivals = {"mine": run({"a": 40.0, "b": 41.0}, "c"), "other": run({"a": 30.0, "b": 30.5})}
    found = standings(rivals, "psnr", MORE)["mine"]
    assert (found.lost, found.best) == (0, True)


def test_values_are_sorted_by_quality():
    assert by_quality([3.0, 1.0, 0.9], NEAR_1) == [1, 2, 0]
    assert by_quality([3.0, 1.0, 2.0], LESS) == [1, 2, 0]
    assert by_quality([3.0, 1.0, 2.0], UNKNOWN) == [0, 2, 1]
