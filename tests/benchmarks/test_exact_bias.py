"""The variances of guided Gaussians are the ends of the linear equations that the samplers follow."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from benchmarks.theory.exact.bias import ddim_variance, ddpm_variance, equal_variances, tilt_variance

REFERENCE = {  # γ: tilt, DDIM, DDPM
    1.5: (0.80000, 0.70711, 0.75000),
    2.0: (0.66667, 0.50000, 0.58333),
    3.0: (0.50000, 0.25000, 0.38750),
    5.0: (0.33333, 0.06250, 0.22179),
}


def end(gamma: float, share: float, variance: float, variance_c: float, mean_c: float = 0.0) -> np.ndarray:
    """(mean, variance) by dY = (Y/2 + (1+share)/2·s) dτ + √share dB, an ODE at share 0 and the reverse SDE at 1.

    p_0 = N(0, variance), p_0(x|c) = N(mean_c, variance_c), both noised by dX = −X/2 dt + dB from N(0, 1) at t = 40.
    """

    def rate(t, state):
        a2 = np.exp(-t)
        own, all_ = a2 * variance_c + 1 - a2, a2 * variance + 1 - a2
        slope = -gamma / own - (1 - gamma) / all_  # s = slope·x + offset
        offset = gamma * np.sqrt(a2) * mean_c / own
        pull = 0.5 + (1 + share) / 2 * slope
        return [-(pull * state[0] + (1 + share) / 2 * offset), -(2 * pull * state[1] + share)]

    return solve_ivp(rate, (40, 0), [0.0, 1.0], rtol=1e-10, atol=1e-12).y[:, -1]


@pytest.mark.parametrize("gamma", REFERENCE)
def test_the_variances_are_the_reference_numbers(gamma):
    found = [tilt_variance(gamma), ddim_variance(gamma), ddpm_variance(gamma)]
    np.testing.assert_allclose(found, REFERENCE[gamma], rtol=0, atol=6e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 1.5, 3.0, 5.0])
def test_the_variances_are_the_ends_of_the_equations_that_ddim_and_ddpm_follow(gamma):
    assert end(gamma, 0.0, 2.0, 1.0)[1] == pytest.approx(ddim_variance(gamma), rel=1e-7)
    assert end(gamma, 1.0, 2.0, 1.0)[1] == pytest.approx(ddpm_variance(gamma), rel=1e-7)


def test_ddim_is_narrower_than_ddpm_and_ddpm_than_the_tilt():
    for gamma in np.linspace(1.05, 8, 30):
        assert ddim_variance(gamma) < ddpm_variance(gamma) < tilt_variance(gamma)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_with_equal_variances_ode_and_sde_sample_the_tilt(share):
    expected = equal_variances(3.0, 0.7, 0.6)
    np.testing.assert_allclose(end(3.0, share, 0.36, 0.36, 0.7), expected, rtol=1e-6)
    x = np.linspace(-4, 8, 4001)
    log_tilt = (-3 * (x - 0.7) ** 2 + 2 * x**2) / (2 * 0.36)
    density = np.exp(log_tilt - log_tilt.max())
    mean = density @ x / density.sum()
    np.testing.assert_allclose((mean, density @ (x - mean) ** 2 / density.sum()), expected, rtol=1e-6)
