"""Classifier-free guidance does not sample the tilt p_c^γ p^{1−γ}, by variances that are closed forms.

Bradley & Nakkiran 2024 (2408.09000): p_0(x|c) = N(0, 1) and p_0 = N(0, 2). Guided by γ s_c + (1−γ) s, started
from the noise p_∞, with infinitely many steps, the end is a centred Gaussian; each function gives its variance. γ > 0
has no unit, and w = γ − 1. Variances are in squared units of x.
"""

from __future__ import annotations

import numpy as np
from scipy.special import exprel


def tilt_variance(gamma: float) -> float:
    """2/(γ+1), of p_c^γ p^{1−γ}: its precision is γ·1 + (1−γ)·½."""
    return 2.0 / (gamma + 1.0)


def ddim_variance(gamma: float) -> float:
    """2^{1−γ}, of the probability-flow ODE: always less than the tilt's for γ > 1."""
    return 2.0 ** (1.0 - gamma)


def ddpm_variance(gamma: float) -> float:
    """(2 − 2^{2−2γ})/(2γ−1), of the reverse SDE, between the two for γ > 1; 2 log 2 at γ = ½."""
    return float(2 * np.log(2) * exprel((1 - 2 * gamma) * np.log(2)))


def equal_variances(gamma: float, mean: float, deviation: float = 1.0) -> tuple[float, float]:
    """(mean, variance) where nothing is biased: p_0(x|c) = N(μ_c, s²), p_0 = N(0, s²) give N(γμ_c, s²) three times.

    Tilt, ODE and SDE agree, as s_c − s does not depend on x and the guided score is that of N(γμ_c, s²), noised.
    """
    return gamma * mean, deviation**2
