"""The mean reciprocal of the classifier's probability: its estimate, and what it is worth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsg.metrics.reciprocal import CAP, Reciprocal

ZERO = float("-inf")


@given(st.lists(st.floats(-30, 0), min_size=2, max_size=40))
def test_the_mean_and_its_standard_error_are_those_of_one_over_p(log_p):
    h = np.exp(-np.array(log_p))
    found = Reciprocal.of(log_p)
    assert found.mean == pytest.approx(h.mean(), rel=1e-12)
    # where all are equal, what is left of the deviation is rounding, of the size of the mean's
    assert found.standard_error == pytest.approx(h.std(ddof=1) / math.sqrt(len(h)), rel=1e-9, abs=1e-9 * h.mean())
    assert found.truncated == pytest.approx(np.minimum(h, CAP).mean(), rel=1e-12)
    assert 1 - 1e-9 <= found.effective_samples <= len(h) + 1e-9
    assert found.largest_share == pytest.approx(h.max() / h.sum(), rel=1e-9)


def test_equal_samples_are_all_effective():
    assert Reciprocal.of([math.log(0.25)] * 8).effective_samples == pytest.approx(8)


def test_the_unguided_mean_is_one_over_the_prior_of_the_class():
    """E[1/p(c|x)] over p(x|c) is ∫ p(x|c)/p(c|x) = 1/p(c), for ½N(−½,1)+½N(½,1)."""
    x = np.random.default_rng(0).normal(0.5, 1.0, 400_000)
    found = Reciprocal.of(-np.log1p(np.exp(-x)))
    assert found.mean == pytest.approx(2.0, abs=4 * found.standard_error)


@pytest.mark.parametrize("index", [1.5, 3.0])
def test_the_tail_index_of_a_pareto_distribution_is_found_and_below_two_is_warned_of(index):
    log_h = np.random.default_rng(0).exponential(1 / index, 20_000)
    found = Reciprocal.of(-log_h)
    assert found.tail_index == pytest.approx(index, rel=0.1)
    assert any("heavy tail" in line for line in found.warnings()) == (index < 2)


def test_a_probability_of_zero_makes_the_mean_infinite_and_leaves_the_truncated_one():
    found = Reciprocal.of([0.0, ZERO])
    assert found.mean == math.inf
    assert found.truncated == pytest.approx((1 + CAP) / 2)
    assert "infinite" in found.warnings()[0]


def test_one_sample_that_carries_the_sum_is_warned_of():
    assert any("one sample has" in line for line in Reciprocal.of([0.0] * 50 + [-6.0]).warnings())


def test_probabilities_too_small_for_a_float_of_their_square_do_not_overflow():
    found = Reciprocal.of([-500.0, -500.0])
    assert found.mean == pytest.approx(math.exp(500))
    assert found.effective_samples == pytest.approx(2)


@pytest.mark.parametrize("log_p", [[], [math.nan], [0.1]])
def test_what_is_no_log_probability_is_refused(log_p):
    with pytest.raises(ValueError, match="at most 0"):
        Reciprocal.of(log_p)
