"""The worst mean over mixtures of cells: the number, who chooses it and who judges it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize, minimize_scalar
from scipy.special import logsumexp

from dsg.errors import UserError
from dsg.metrics.cross_fit import REPLICATES, Halved, cross_fit, cross_fitted_curve
from dsg.metrics.worst_case import check_gamma, worst_case, worst_mixture

ERRORS = np.random.default_rng(5).normal(size=8)


def divergence(q: np.ndarray) -> float:
    """KL(q ‖ uniform)."""
    q = np.maximum(q, 1e-300)
    return float((q * np.log(q * len(q))).sum())


def dual(errors: np.ndarray, gamma: float) -> float:
    """min over log τ of τ log mean exp(e/τ) + τγ."""

    def at(log_tau: float) -> float:
        tau = math.exp(log_tau)
        return tau * float(logsumexp(errors / tau) - math.log(len(errors)) + gamma)

    return minimize_scalar(at, bounds=(-12, 12), method="bounded", options={"xatol": 1e-10}).fun


@pytest.mark.parametrize("gamma", [0.05, 0.5, 1.0, 2.0])
def test_the_worst_case_is_the_least_value_of_the_dual_and_the_largest_of_the_primal(gamma):
    found = worst_case(ERRORS, gamma)
    assert found == pytest.approx(dual(ERRORS, gamma), abs=1e-8)
    largest = minimize(lambda q: -q @ ERRORS, np.full(8, 1 / 8), bounds=[(0, 1)] * 8, constraints=[
        LinearConstraint(np.ones((1, 8)), 1, 1), NonlinearConstraint(divergence, -np.inf, gamma),
    ], method="SLSQP", options={"ftol": 1e-12, "maxiter": 500})  # fmt: skip
    assert found == pytest.approx(-largest.fun, abs=1e-6)


def test_it_is_the_mean_at_0_and_the_worst_cell_at_log_m_and_rises_between():
    gammas = [0.0, 1e-6, 0.01, 0.5, 1.0, 2.0, math.log(8)]
    found = [float(worst_case(ERRORS, gamma)) for gamma in gammas]
    assert found[0] == pytest.approx(ERRORS.mean())
    assert found[-1] == pytest.approx(ERRORS.max(), abs=1e-6)
    assert found == sorted(found)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_unit_and_the_zero_of_the_errors_do_not_matter(scale):
    q = worst_mixture(ERRORS, 0.7)
    assert worst_mixture(scale * ERRORS, 0.7) == pytest.approx(q, abs=1e-7)
    assert worst_mixture(ERRORS + 1e6, 0.7) == pytest.approx(q, abs=1e-6)
    assert divergence(q) == pytest.approx(0.7)


def test_cells_that_are_the_worst_alike_share_what_there_is():
    assert worst_mixture(np.array([1.0, 1.0, 0.0]), 1.0) == pytest.approx([0.5, 0.5, 0.0], abs=1e-12)
    assert worst_mixture(np.array([3.0, 3.0]), 0.5) == pytest.approx([0.5, 0.5])
    rows = np.stack([ERRORS, -ERRORS])
    assert worst_case(rows, 1.0).tolist() == [float(worst_case(row, 1.0)) for row in rows]


@pytest.mark.parametrize("gamma", [-0.1, 2.1, math.nan])
def test_a_gamma_beyond_its_range_is_refused_with_the_range(gamma):
    with pytest.raises(UserError, match=r"--gamma: must be between 0, .* log 8 = 2.079"):
        check_gamma(gamma, 8, "--gamma")


def noisy(seed: int, cells: np.ndarray, means: np.ndarray, noise: float = 1.0) -> np.ndarray:
    return means[cells] + noise * np.random.default_rng(seed).normal(size=len(cells))


def test_at_0_the_cross_fitted_value_is_the_mean_of_the_cell_means_whatever_their_sizes():
    cells = np.repeat([0, 1, 2], [2, 3, 7])
    errors = noisy(0, cells, np.array([0.0, 1.0, 2.0]))
    found = cross_fit(errors, cells, 0.0)
    assert found.value == pytest.approx(np.mean([errors[cells == cell].mean() for cell in range(3)]))
    assert found.uncorrected == pytest.approx(found.value)


def test_the_naive_worst_case_of_equal_cells_is_too_large_and_the_cross_fitted_one_is_not():
    cells = np.repeat(np.arange(8), 6)
    drawn = np.stack([noisy(seed, cells, np.zeros(8)) for seed in range(200)])
    found = Halved(cells).value(drawn, 1.0)
    assert abs(found.mean()) < 3 * found.std() / 200**0.5
    assert worst_case(Halved(cells).means(drawn), 1.0).mean() > 0.3


def test_no_image_both_chooses_and_judges():
    """One image of the quiet cell goes up without bound: it is chosen by its own half, and judged by the other."""
    cells = np.repeat([0, 1], 8)
    errors = np.where(cells == 0, 0.0, 1.0)
    errors[0] = 1e3
    found = cross_fit(errors, cells, math.log(2))
    assert found.uncorrected == pytest.approx(125.0)
    # half of the time the half without it chooses: 1 against 0, and the half with it judges cell 1
    assert found.value < 125.0 / 2 + 2


def test_the_bootstrap_has_the_standard_error_of_the_mean_of_cells_at_0():
    cells = np.repeat(np.arange(4), [2, 2, 5, 9])
    errors = noisy(3, cells, np.arange(4.0))
    variances = [errors[cells == c].var(ddof=1) / (cells == c).sum() for c in range(4)]
    found = cross_fit(errors, cells, 0.0)
    assert found.replicates.shape == (REPLICATES,)
    assert found.interval.se == pytest.approx(math.sqrt(sum(variances)) / 4, rel=0.1)


def test_runs_on_the_same_images_are_paired():
    cells = np.repeat(np.arange(4), 6)
    errors = noisy(4, cells, np.arange(4.0))
    found = cross_fit(errors, cells, 1.0).minus(cross_fit(errors + 0.5, cells, 1.0))
    assert (found.mean, found.low, found.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert found.leaves_out_zero


def test_the_same_images_give_the_same_numbers_and_the_curve_goes_through_them():
    cells = np.random.default_rng(1).permutation(np.repeat(np.arange(4), 5))
    errors = noisy(5, cells, np.arange(4.0))
    found = cross_fit(errors, cells, 0.8)
    assert np.array_equal(cross_fit(errors, cells, 0.8).replicates, found.replicates)
    assert cross_fitted_curve(errors, cells, np.array([0.0, 0.8]))[1] == pytest.approx(found.value)


@pytest.mark.parametrize("gamma", [1e-22, 1e-18, 1e-15, 1e-12])
def test_a_gamma_that_rounding_swallows_is_the_mean(gamma):
    assert worst_case(np.arange(4.0), gamma) == pytest.approx(1.5, abs=1e-4)


def test_the_interval_is_student_s_of_the_replicates_with_images_minus_cells_degrees_of_freedom():
    cells = np.repeat(np.arange(4), [2, 2, 5, 9])
    found = cross_fit(np.random.default_rng(3).normal(size=18), cells, 0.5)
    half = stats.t.ppf(0.975, 18 - 4) * found.replicates.std(ddof=1)
    assert (found.interval.low, found.interval.high) == pytest.approx((found.value - half, found.value + half))
