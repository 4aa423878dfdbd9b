"""Calibration and its gap to another world: the values of other implementations, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ttest_ind
from torchmetrics.functional.classification import binary_auroc

from dsg.metrics.calibration import BINS, Judged, Shift, _auroc, expected_calibration_error
from dsg.metrics.statistics import unpaired


def drawn(n: int, temperature: float = 1.0, seed: int = 0, spread: float = 2.0) -> Judged:
    """Two classes with logit z ~ N(0, spread²): the truth has σ(z), and the classifier says σ(z/T)."""
    random = np.random.default_rng(seed)
    z = spread * random.standard_normal(n)
    right = random.random(n) < 1 / (1 + np.exp(-np.abs(z)))
    return Judged.of(1 / (1 + np.exp(-np.abs(z) / temperature)), right)


def test_the_calibration_error_is_that_of_bins_counted_by_hand():
    judged = drawn(3000, 0.5)
    confidence, right = np.concatenate(list(judged.images.values())).T
    place, expected = np.minimum((confidence * BINS).astype(int), BINS - 1), 0.0
    for b in range(BINS):
        if (own := place == b).any():
            expected += own.mean() * abs(right[own].mean() - confidence[own].mean())
    assert judged.calibration_error == pytest.approx(expected, abs=1e-9)
    assert expected_calibration_error(np.array([0.95, 0.95]), np.array([1, 0])) == pytest.approx(0.45)


def test_the_last_bin_of_the_calibration_error_holds_a_confidence_of_1():
    """Guo et al. 2017, eq. 3: the bin (14/15, 1] has all hundred, 95 right, of confidence 0.975."""
    stated, right = np.repeat([1.0, 0.95], 50), np.array([1] * 45 + [0] * 5 + [1] * 50)
    assert expected_calibration_error(stated, right) == pytest.approx(0.025, abs=1e-9)


def test_a_calibrated_classifier_has_no_overconfidence_and_an_overconfident_one_has():
    calibrated, sure = drawn(4000), drawn(4000, 0.5)
    assert calibrated.overconfidence.low < 0 < calibrated.overconfidence.high
    assert calibrated.calibration_error < 0.03
    assert sure.overconfidence.low > 0.05
    assert sure.accuracy == calibrated.accuracy


@pytest.mark.parametrize("paired", [True, False])
def test_the_auroc_is_torchmetrics_with_ties_and_its_interval_holds_it(paired):
    random = np.random.default_rng(1)
    inside, outside = (np.round(random.beta(a, 2, size=200), 2) for a in (5, 3))
    names = [f"o{i}" for i in range(200)] if not paired else None
    shift = Shift.between(Judged.of(inside, inside > 0.5), Judged.of(outside, outside > 0.5, names))
    expected = binary_auroc(
        torch.from_numpy(np.concatenate([inside, outside])), torch.tensor([1] * 200 + [0] * 200)
    ).item()
    assert shift.paired == paired
    assert shift.auroc.mean == pytest.approx(expected, abs=1e-6)
    assert shift.auroc.low < expected < shift.auroc.high


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_the_interval_of_the_auroc_is_as_wide_as_the_spread_over_repetitions(shared):
    random, found = np.random.default_rng(2), []
    for _ in range(200):
        common, own = random.standard_normal(100), random.standard_normal((2, 100))
        inside, outside = (
            shared * common + (1 - shared**2) ** 0.5 * x + shift for x, shift in zip(own, (0.5, 0), strict=True)
        )
        found.append(_auroc_of(inside, outside))
    spread = np.std([interval.mean for interval in found])
    assert np.mean([interval.se for interval in found]) == pytest.approx(spread, rel=0.15)


def _auroc_of(inside, outside):
    squashed = [1 / (1 + np.exp(-x)) for x in (inside, outside)]
    judged = [Judged.of(x, x > 0.5) for x in squashed]
    return _auroc(*judged, paired=True)


def test_the_gap_of_a_pair_is_in_its_interval_and_narrower_than_of_strangers():
    inside, outside = drawn(300), drawn(300, 0.4)  # the same pictures, and answers that are right as often
    strangers = Judged({f"other {name}": found for name, found in outside.images.items()})
    paired, apart = Shift.between(inside, outside), Shift.between(inside, strangers)
    assert paired.accuracy.mean == 0.0
    assert paired.overconfidence.low > 0.02
    assert paired.calibration_error.low > 0
    assert paired.calibration_error.mean == pytest.approx(outside.calibration_error - inside.calibration_error)
    assert not apart.paired
    assert apart.overconfidence.mean == pytest.approx(paired.overconfidence.mean)
    assert apart.overconfidence.high - apart.overconfidence.low > 2 * (
        paired.overconfidence.high - paired.overconfidence.low
    )


def test_the_interval_of_strangers_is_welch_s():
    random = np.random.default_rng(3)
    one, other = random.normal(0, 1, 20), random.normal(1, 3, 35)
    expected, found = ttest_ind(one, other, equal_var=False).confidence_interval(), unpaired(one, other)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert unpaired([1.0], [2.0, 3.0]).as_dict() == {"mean": -1.5, "n": 1}


def test_rows_that_failed_or_were_not_judged_are_left_out_and_samples_of_an_image_stay_together():
    rows = [
        {"id": "a", "status": "ok", "judge_confidence": 0.9, "judge_correct": 1},
        {"id": "a", "status": "ok", "judge_confidence": 0.7, "judge_correct": 0},
        {"id": "b", "status": "failed"},
        {"id": "c", "status": "ok", "judge_confidence": float("nan"), "judge_correct": 0},
        {"id": "d", "status": "ok"},
    ]
    judged = Judged.of_rows(rows)
    assert list(judged.images) == ["a"]
    assert judged.by_image == {"a": pytest.approx(0.3)}
    assert len(Judged.of_rows([])) == 0
