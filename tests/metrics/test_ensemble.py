"""Scores of several samples around a truth: CRPS and coverage, against double loops and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsg.metrics.ensemble import coverage, crps, nominal_coverage


@settings(max_examples=20)
@given(st.integers(2, 25), st.integers(0, 50))
def test_crps_is_its_definition_as_a_double_loop(count, seed):
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    truth = torch.randn(3, generator=torch.Generator().manual_seed(seed + 100))
    pairs = sum(abs(x[i] - x[j]) for i in range(count) for j in range(count) if i != j)
    expected = (x - truth).abs().mean(0) - pairs / (2 * count * (count - 1))
    assert crps(x, truth) == pytest.approx(expected.mean().item(), abs=1e-6)


@pytest.mark.parametrize("count", [2, 10])
def test_the_fair_crps_of_gaussian_draws_is_s_over_root_pi_at_every_number_of_samples(count):
    draws = torch.randn(count + 1, 40_000, generator=torch.Generator().manual_seed(count))
    assert crps(0.5 * draws[1:], 0.5 * draws[0]) == pytest.approx(0.5 / math.sqrt(math.pi), abs=0.01)


def test_samples_that_do_not_differ_score_their_distance_to_the_truth():
    assert crps(torch.full((3, 4), 0.75), torch.full((4,), 0.25)) == 0.5


def test_nine_tenths_can_be_said_by_nineteen_samples_or_more():
    assert [nominal_coverage(k) for k in (2, 4, 19, 30)] == pytest.approx([1 / 3, 3 / 5, 0.9, 0.9])


def by_random_ties(x: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> float:
    """Of the interval from the smallest to the largest, ties broken by chance."""
    noise = 1e-9 * rng.random((len(x) + 1, *truth.shape))
    samples, own = x + noise[1:], truth + noise[0]
    return float(((samples.min(0) < own) & (own < samples.max(0))).mean())


@pytest.mark.parametrize("count", [2, 5, 19])
@pytest.mark.parametrize("values", [2, 5, 256])
def test_coverage_is_nominal_of_exchangeable_draws_whatever_ties(count, values):
    rng = np.random.default_rng(count)
    draws = rng.integers(0, values, (count + 1, 20_000)).astype(float)
    found = coverage(torch.from_numpy(draws[1:]), torch.from_numpy(draws[0]))
    assert found == pytest.approx(nominal_coverage(count), abs=0.01)
    assert found == pytest.approx(by_random_ties(draws[1:], draws[0], rng), abs=0.01)


@pytest.mark.parametrize("count", [20, 24, 37])
def test_a_rank_that_is_left_out_in_part_makes_the_level_exact(count):
    """All ranks once: the truth i + ½ has rank i + 1 among 0, ..., K − 1."""
    samples = torch.arange(count).double()[:, None].expand(-1, count + 1)
    truth = torch.arange(count + 1).double() - 0.5
    assert coverage(samples, truth) == pytest.approx(0.9, abs=1e-12)
    assert coverage(samples, truth, level=0.5) == pytest.approx(0.5, abs=1e-12)


def test_all_black_is_no_evidence_and_samples_beside_the_truth_cover_nothing():
    black = torch.zeros(4, 3, 2, 2)
    assert coverage(black, black[0]) == pytest.approx(nominal_coverage(4))
    assert coverage(black, black[0] + 1) == 0.0
