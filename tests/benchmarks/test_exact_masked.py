"""Exact laws of masked processes: known numbers, independent routes to them, and what guidance provably does."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.neighbours.exact.masked import Guided, law, leaping_law, ordered, reciprocal, tilt, total_variation


def tables(seed: int, length: int = 2, size: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """p(x | c), and p(x) of which c has a quarter."""
    told, other = np.random.default_rng(seed).random((2, *[size] * length)) ** 3
    told, other = told / told.sum(), other / other.sum()
    return told, 0.25 * told + 0.75 * other


@pytest.mark.parametrize(
    ("scale", "speed", "share"), [(2.0, 1.3917, 0.3811), (3.0, 2.2437, 0.2111), (5.0, 6.606, 0.0103)]
)
def test_the_speed_of_one_token_is_the_known_one(scale, speed, share):
    _, found = tilt(np.array([0.7, 0.2, 0.1]), np.array([0.4, 0.3, 0.3]), scale)
    assert found == pytest.approx(speed, rel=1e-4)
    assert 0.5**found == pytest.approx(share, abs=1e-4)


@pytest.mark.parametrize("normalised", [True, False])
def test_closed_form_and_master_equation_agree_on_two_tokens(normalised):
    told, untold = tables(0)
    guided = Guided(told, untold, lambda t: 3.0, normalised)
    assert total_variation(law(guided), ordered(told, untold, 3.0, normalised)) < 1e-7


def test_unguided_laws_are_the_tables_themselves():
    told, untold = tables(1, length=3, size=2)
    for scale, expected in ((0.0, untold), (1.0, told)):
        guided = Guided(told, untold, lambda t, scale=scale: scale, False)
        assert total_variation(law(guided), expected) < 1e-7


def test_the_error_of_leaps_is_of_the_first_order_in_the_step():
    told, untold = tables(2)
    for normalised in (True, False):
        guided, exact = Guided(told, untold, lambda t: 2.0, normalised), ordered(told, untold, 2.0, normalised)
        errors = [total_variation(leaping_law(guided, steps), exact) for steps in (8, 16)]
        assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_guidance_above_one_lowers_the_mean_reciprocal_on_any_table_and_schedule(seed, normalised):
    """h = 1/p(c | x_t) is a martingale at γ = 1 and falls along the path where γ > 1: with ρ = p_c/p of a token, its
    rate of change is h (E[ρ^{γ−1}] − E[ρ^γ]) over p, and E[ρ^a] is convex in a and 1 at a = 0 and a = 1."""
    told, untold = tables(seed)
    for scale in (lambda t: 1.0 + 3.0 * t, lambda t: 4.0 - 3.0 * t):
        assert reciprocal(law(Guided(told, untold, scale, normalised)), told, untold, 0.25) < 4.0 - 0.1
    unguided = law(Guided(told, untold, lambda t: 1.0, normalised))
    assert reciprocal(unguided, told, untold, 0.25) == pytest.approx(4.0, abs=1e-6)
