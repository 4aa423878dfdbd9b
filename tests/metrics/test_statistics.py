"""Means, intervals, pairs and quartiles, each against a second implementation."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from scipy import stats

from dsg.metrics.statistics import (
    RunningMean,
    decimals,
    mean_with_interval,
    paired_difference,
    quartiles,
    unpaired,
)

TRIALS = 4000


def coverage(draw, n: int, true: float) -> float:
    """How often the interval of n values holds their law's mean."""
    generator = np.random.default_rng(n)
    intervals = [mean_with_interval(draw(generator, n)) for _ in range(TRIALS)]
    return statistics.fmean(i.low <= true <= i.high for i in intervals)


@pytest.mark.parametrize("n", [4, 8, 32, 256])
def test_the_interval_covers_94_to_96_percent_of_normal_data(n):
    assert 0.94 <= coverage(lambda generator, n: generator.normal(3.0, 2.0, n), n, 3.0) <= 0.96


@pytest.mark.parametrize(
    ("sigma", "n", "stated"),
    [(0.5, 4, 0.91), (0.5, 8, 0.92), (0.5, 32, 0.94), (0.5, 256, 0.95),
     (1.0, 4, 0.82), (1.0, 8, 0.83), (1.0, 32, 0.88), (1.0, 256, 0.93)],
)  # fmt: skip
def test_on_lognormal_data_the_interval_covers_what_the_docs_say(sigma, n, stated):
    found = coverage(lambda generator, n: generator.lognormal(0.0, sigma, n), n, math.exp(sigma**2 / 2))
    assert found == pytest.approx(stated, abs=0.02)


@pytest.mark.parametrize("n", [2, 4, 100])
def test_the_interval_is_the_one_that_scipy_inverts_the_t_test_to(n):
    values = np.random.default_rng(0).normal(10, 2, n)
    found, known = mean_with_interval(values), stats.ttest_1samp(values, 0.0)
    low, high = known.confidence_interval(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx((values.mean(), low, high), rel=1e-12)
    assert (found.n, found.se) == (n, pytest.approx(stats.sem(values)))


def test_of_many_values_it_is_nearly_the_bca_bootstraps():
    values = np.random.default_rng(0).gamma(4.0, size=1000)
    found = mean_with_interval(values)
    known = stats.bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(0), batch=100)
    low, high = known.confidence_interval
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (found.high - found.low))


def test_one_value_has_a_mean_and_no_interval_and_none_has_neither():
    one = mean_with_interval([3.0])
    assert one.as_dict() == {"mean": 3.0, "n": 1}
    assert math.isnan(one.low)
    assert not one.leaves_out_zero
    assert mean_with_interval([]).as_dict() == {"n": 0}


def test_equal_values_have_an_interval_of_width_0():
    found = mean_with_interval([50.0] * 7)
    assert (found.mean, found.low, found.high) == (50.0, 50.0, 50.0)


def test_a_paired_difference_is_over_the_common_images_and_is_the_paired_t_tests():
    generator = np.random.default_rng(0)
    one = {str(i): value for i, value in enumerate(generator.normal(30, 5, 12))}
    other = {key: value + generator.normal(0.3, 1.0) for key, value in list(one.items())[2:]} | {"x": 99.0}
    found = paired_difference(one, other)
    pairs = [(one[key], other[key]) for key in one if key in other]
    known = stats.ttest_rel(*zip(*pairs, strict=True)).confidence_interval(0.95)
    assert found.n == 10
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_quartiles_are_those_of_the_standard_library(n):
    values = np.random.default_rng(0).normal(size=n)
    known = statistics.quantiles(values, n=4, method="inclusive") if n > 1 else [values[0]] * 3
    assert quartiles(values) == pytest.approx(known)
    assert all(map(math.isnan, quartiles([])))


def test_a_running_mean_ends_in_the_mean():
    values, running = np.random.default_rng(0).normal(size=50), RunningMean()
    assert math.isnan(running.mean)
    for value in values:
        running.add(value)
    assert (running.mean, running.n) == (pytest.approx(values.mean()), 50)


@pytest.mark.parametrize(("half", "digits"), [(12.0, 0), (1.2, 1), (0.12, 2), (0.00012, 5), (1e-9, 5)])
def test_decimals_keep_two_figures_of_the_half_width(half, digits):
    assert decimals([(5 - half, 5 + half)]) == digits
    assert decimals([(5 - half, 5 + half)], least=1) == max(1, digits)
    assert decimals([(math.nan, math.nan)]) == 3
    assert decimals([(-math.inf, math.inf), (5 - half, 5 + half)]) == digits


@pytest.mark.filterwarnings("error")
def test_of_values_whose_squares_are_beyond_a_numbers_range_there_is_an_interval():
    ones, huge = mean_with_interval([1.0, 3.0, 2.0, 7.0]), mean_with_interval([1e200, 3e200, 2e200, 7e200])
    assert (huge.mean, huge.low, huge.high) == pytest.approx((ones.mean * 1e200, ones.low * 1e200, ones.high * 1e200))
    assert decimals([(huge.low, huge.high)]) == 0
    first, second = unpaired([1.0, 3.0, 2.0], [7.0, 9.0]), unpaired([1e200, 3e200, 2e200], [7e200, 9e200])
    assert (second.low, second.high) == pytest.approx((first.low * 1e200, first.high * 1e200))
    assert mean_with_interval([1e308, -1e308]).as_dict() == {"mean": 0.0, "n": 2}
