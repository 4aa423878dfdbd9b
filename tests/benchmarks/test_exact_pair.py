"""The pair's exact means: known numbers, independent routes to them, and no dependence on the resolution."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.special import expit
from scipy.stats import norm

from benchmarks.theory.exact.pair import conserved, normal_nodes, ode_map, ode_moments, tilt_reciprocal
from benchmarks.theory.exact.pair_sde import sde_moments, sde_power

ODE = {  # w: E[1/u], E[u], mean, variance, entropy in nats, at μ = 1
    0.0: (2.00000, 0.77520, 1.0000, 1.0000, 1.4189),
    0.5: (1.27518, 0.86549, 1.3419, 0.7355, 1.2627),
    1.0: (1.10957, 0.92021, 1.6125, 0.5803, 1.1372),
    2.0: (1.03484, 0.96795, 2.0269, 0.4273, 0.9696),
    4.0: (1.00884, 0.99131, 2.6182, 0.3139, 0.8039),
}
SIMULATED = {  # w: E[1/u], its standard error, E[u], of simulated guided reverse SDEs at μ = 1
    0.5: (1.334, 0.002, 0.8500),
    1.0: (1.1694, 0.0007, 0.8939),
    2.0: (1.0798, 0.0002, 0.9366),
    4.0: (1.0379, 0.0001, 0.9661),
}


@pytest.mark.parametrize("w", ODE)
def test_the_ode_s_means_are_the_reference_numbers(w):
    exact = ode_moments(w, 1.0)
    np.testing.assert_allclose(exact[:2], ODE[w][:2], rtol=0, atol=6e-6)
    np.testing.assert_allclose(exact[2:], ODE[w][2:], rtol=0, atol=6e-5)


@pytest.mark.parametrize("w", SIMULATED)
def test_the_sde_s_means_are_those_of_a_simulation(w):
    reciprocal, error, probability = SIMULATED[w]
    exact = sde_moments(w, 1.0)
    assert abs(exact[0] - reciprocal) < 3 * error
    assert abs(exact[1] - probability) < 2e-4


@pytest.mark.parametrize("w", [0.0, 1.0, 4.0])
def test_a_finer_resolution_changes_nothing(w):
    np.testing.assert_allclose(ode_moments(w, 1.0, nodes=80), ode_moments(w, 1.0, nodes=120), rtol=0, atol=1e-9)
    np.testing.assert_allclose(sde_moments(w, 1.0, degree=40), sde_moments(w, 1.0, degree=64), rtol=0, atol=1e-6)
    np.testing.assert_allclose(tilt_reciprocal(w, 1.0, nodes=80), tilt_reciprocal(w, 1.0), rtol=0, atol=1e-8)


def test_without_guidance_ode_and_sde_sample_the_class_and_the_mean_reciprocal_is_its_prior_s():
    probability = quad(lambda x: norm.pdf(x, 1.0) * expit(2 * x), -12, 14, epsabs=1e-12)[0]
    np.testing.assert_allclose(ode_moments(0.0, 1.0)[:2], (2.0, probability), rtol=1e-10)
    np.testing.assert_allclose(sde_moments(0.0, 1.0), (2.0, probability), rtol=1e-8)


def test_the_sde_s_mean_is_that_of_finite_differences_on_the_plain_backward_equation():
    """∂v/∂t = b v' + ½v'', v(0) = u, which is bounded; at the ends of the box nothing starts and b points inwards."""
    w, x = 1.0, np.linspace(-9.0, 9.0, 721)
    step = x[1] - x[0]

    def rate(t, v):
        m = np.exp(-t / 2)
        gradient, curvature = np.gradient(v, step), np.zeros_like(v)
        curvature[1:-1] = (v[2:] - 2 * v[1:-1] + v[:-2]) / step**2
        return (m - x / 2 + w * m * (1 - np.tanh(m * x))) * gradient + 0.5 * curvature

    v = solve_ivp(rate, (0, 16), expit(2 * x), method="LSODA", lband=2, uband=2, rtol=1e-6, atol=1e-8).y[:, -1]
    assert np.trapezoid(v * norm.pdf(x), x) == pytest.approx(sde_moments(w, 1.0)[1], rel=1e-4)


@pytest.mark.parametrize("w", [0.0, 0.5, 1.0])
def test_a_power_of_the_reciprocal_is_conserved_by_the_sde_and_lower_ones_fall(w):
    power = 1 + 2 * w
    assert sde_power(w, 0.5, power) == pytest.approx(conserved(w))
    assert sde_power(w, 0.5, power - 0.3) < 2 ** (power - 0.3)
    assert sde_power(w, 0.5, power + 0.3) > 2 ** (power + 0.3)


def test_the_mean_reciprocal_falls_with_guidance_and_faster_by_the_ode_than_by_the_sde():
    by_sde = [sde_moments(w, 1.0, degree=40)[0] for w in (0.0, 0.25, 1.0, 3.0)]
    by_ode = [ode_moments(w, 1.0).reciprocal for w in (0.0, 0.25, 1.0, 3.0)]
    assert (np.diff(by_sde) < 0).all()
    assert all(ode < sde for ode, sde in zip(by_ode[1:], by_sde[1:], strict=True))


@pytest.mark.parametrize(("w", "expected"), [(0.0, 2.0), (1.0, 1.28999), (2.0, 1.16958), (4.0, 1.09880)])
def test_the_tilt_s_mean_reciprocal_is_the_reference_number(w, expected):
    assert tilt_reciprocal(w, 1.0) == pytest.approx(expected, abs=6e-6)


def test_the_ode_s_map_is_that_of_the_score_and_its_tangent_is_the_derivative():
    """Once more in OU time with a score by numerical differentiation of log densities."""
    w, mu, start = 1.5, 0.8, np.array([-1.0, 0.2, 1.3])

    def velocity(t, x):
        m, h = mu * np.exp(-t / 2), 1e-5
        own = lambda z: norm.logpdf(z, m)  # noqa: E731
        both = lambda z: np.logaddexp(norm.logpdf(z, m), norm.logpdf(z, -m))  # noqa: E731
        slope = lambda f: (f(x + h) - f(x - h)) / (2 * h)  # noqa: E731
        return -(x / 2 + 0.5 * ((1 + w) * slope(own) - w * slope(both)))

    reference = solve_ivp(velocity, (30, 0), start, rtol=1e-9, atol=1e-10).y[:, -1]
    x, log_stretch = ode_map(w, mu, start)
    np.testing.assert_allclose(x, reference, atol=1e-5)
    difference = (ode_map(w, mu, start + 1e-5)[0] - ode_map(w, mu, start - 1e-5)[0]) / 2e-5
    np.testing.assert_allclose(np.exp(log_stretch), difference, rtol=1e-6)


def test_the_nodes_integrate_a_normal_variable_s_moments():
    z, weights = normal_nodes(40)
    np.testing.assert_allclose([weights @ z**k for k in (0, 1, 2, 4, 6)], [1, 0, 1, 3, 15], atol=1e-12)
