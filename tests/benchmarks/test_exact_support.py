"""Guided samples go to the edge of the class: endpoints against known ones and against independent quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from benchmarks.theory.exact.support import guided_intervals, interval_score, pair_edge, pair_endpoint

MIDDLES = (np.arange(200) + 0.5) / 200


def test_the_pair_goes_off_as_the_root_of_the_guidance():
    assert pair_edge() == pytest.approx(0.93329, abs=6e-6)
    for mu in (0.5, 1.0, 2.0):  # the next term is μ
        assert (pair_endpoint(1e6, mu) - mu) / 1e3 == pytest.approx(pair_edge(), abs=1e-5)


def test_the_start_matters_less_the_stronger_the_guidance():
    spread = [pair_endpoint(w, start=2.0) - pair_endpoint(w, start=-2.0) for w in (1.0, 10.0, 100.0)]
    assert spread[0] > spread[1] > spread[2] > 0


@pytest.mark.parametrize("sigma", [0.05, 1.0, 30.0])
def test_the_interval_s_score_is_the_one_of_quadrature(sigma):
    x = np.array([-3.0, 0.9, 1.5, 2.3]) if sigma > 0.1 else np.array([0.9, 1.5, 2.1])
    log_density, score = interval_score(x, sigma, 1.0, 2.0)
    for i, at in enumerate(x):
        mass = quad(lambda z, at=at: norm.pdf(at, z, sigma), 1, 2, epsabs=0, epsrel=1e-11)[0]
        slope = quad(lambda z, at=at: (z - at) / sigma**2 * norm.pdf(at, z, sigma), 1, 2, epsrel=1e-11)[0]
        assert log_density[i] == pytest.approx(np.log(mass), abs=1e-9)
        assert score[i] == pytest.approx(slope / mass, abs=1e-8)


def test_far_away_the_interval_s_score_points_at_the_near_edge():
    log_density, score = interval_score(np.array([-1e3, 1e3]), 1.0, 1.0, 2.0)
    np.testing.assert_allclose(score, [1001, -998], atol=2e-3)
    assert np.isfinite(log_density).all()


def test_without_guidance_the_class_s_quantiles_come_back():
    np.testing.assert_allclose(guided_intervals(0.0, MIDDLES), 1 + MIDDLES, atol=1e-4)


def test_guidance_piles_the_class_up_at_its_far_edge_and_never_past_it():
    for w, mean in ((1.0, 1.6965), (3.0, 1.8821), (10.0, 1.9945)):
        x = guided_intervals(w, MIDDLES)
        assert x.mean() == pytest.approx(mean, abs=4e-4)
        assert (np.diff(x) > 0).all()
        assert x.max() < 2 + 1e-5


def test_a_start_at_sigma_ten_gives_the_reference_s_mean_and_its_least_of_ten_thousand():
    for w, mean, least in ((1.0, 1.629, 1.098), (3.0, 1.820, 1.445), (10.0, 1.978, 1.899)):
        assert guided_intervals(w, MIDDLES, 10.0).mean() == pytest.approx(mean, abs=0.009)
        assert guided_intervals(w, np.array([1e-4]), 10.0)[0] == pytest.approx(least, abs=0.006)


def test_a_later_start_of_the_ode_changes_nothing():
    np.testing.assert_allclose(guided_intervals(1.0, MIDDLES, 1e5), guided_intervals(1.0, MIDDLES), atol=2e-4)
