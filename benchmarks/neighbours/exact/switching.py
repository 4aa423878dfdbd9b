"""Attribute switching between two Gaussian groups: which share of the way back a switch at a level leaves.

Groups N(μ0, s²) and N(μ1, s²); a sampler is told the first above a level and the second below. Both samplers end in a
Gaussian of the groups' own variance, at

    μ1 + ρ (μ0 − μ1),   ODE  ρ = s√ā/√(ās² + 1 − ā),   SDE  ρ = ās²/(ās² + 1 − ā) = ρ_ODE²

as the ODE keeps the quantile and the SDE forgets by Bayes' rule. Half-way, ρ = ½, is where ā = 1/(1 + 3s²) and where
ā = 1/(1 + s²): not a function of how far the groups are apart (own derivation; Choi et al. 2024, 2401.03140, search for
that level instead).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr


def ode_share(alpha_bar: float | np.ndarray, s: float) -> float | np.ndarray:
    """ρ of the ODE that is switched at ā."""
    return s * np.sqrt(alpha_bar) / np.sqrt(alpha_bar * s**2 + 1 - alpha_bar)


def sde_share(alpha_bar: float | np.ndarray, s: float) -> float | np.ndarray:
    """ρ of the reverse SDE that is switched at ā."""
    return alpha_bar * s**2 / (alpha_bar * s**2 + 1 - alpha_bar)


def half_way(s: float, stochastic: bool = False) -> float:
    """ā where ρ = ½."""
    return 1.0 / (1.0 + (1.0 if stochastic else 3.0) * s**2)


def judged_share(share: float | np.ndarray, s: float, distance: float) -> float | np.ndarray:
    """Part of the samples N(μ1 + ρ(μ0 − μ1), s²) nearer to μ0: Φ((2ρ − 1) |μ0 − μ1|/2s).

    ½ at ρ = ½, and the steeper a function of the level the further the groups are apart.
    """
    return ndtr((2 * np.asarray(share) - 1) * distance / (2 * s))


def balanced_time(drive: np.ndarray, grid: int = 10) -> int:
    """The published search: τ, a multiple of `grid`, with the least |Σ_{t>τ} r_t − Σ_{t≤τ} r_t|.

    Args:
        drive: r_t of t = 0, 1, ..., (T,): what tells the groups' paths apart at each timestep.
        grid: of τ.
    """
    below = np.cumsum(drive)
    times = np.arange(0, len(drive), grid)
    return int(times[np.abs(below[-1] - 2 * below[times]).argmin()])


def own_path_drive(alpha_bar: np.ndarray, s: float, weighted: bool = True) -> np.ndarray:
    """|r_t| for groups at distance 1, (T,), by the published rule: each group's ε on a path of its own from one x_T.

        ε(x⁰_t, 0) − ε(x¹_t, 1) = −√(1−ā) √ā_T (μ0 − μ1)/√(v_t v_T),   v_t = ās² + 1 − ā,   r_t = β_t times that

    It is there at all because √ā_T is not 0: with a schedule that ends in noise alone there is nothing to balance.

    Args:
        alpha_bar: of t = 0, 1, ..., (T,).
        s: the groups' deviation.
        weighted: by β_t, as published.
    """
    return np.sqrt((1 - alpha_bar) * alpha_bar[-1] / (_spread(alpha_bar, s) * _spread(alpha_bar, s)[-1])) * (
        _beta(alpha_bar) if weighted else 1.0
    )


def unequal_drive(alpha_bar: np.ndarray, first: float, second: float) -> np.ndarray:
    """The root mean square of r_t over x_T for groups of unlike deviations at one place, (T,), by the published rule.

    √(1−ā) x_T (1/√v⁰_t − 1/√v¹_t): it is the same whichever group is the first, which half-way is not. Where groups
    differ in their means too, that adds what `own_path_drive` says, which is less by far.
    """
    apart = 1 / np.sqrt(_spread(alpha_bar, first)) - 1 / np.sqrt(_spread(alpha_bar, second))
    return _beta(alpha_bar) * np.sqrt(1 - alpha_bar) * np.abs(apart)


def same_state_drive(alpha_bar: np.ndarray, s: float, weighted: bool = True) -> np.ndarray:
    """The same with both groups' ε at one state: ε(x, 0) − ε(x, 1) = −√((1−ā) ā) (μ0 − μ1)/v_t. Arguments as above."""
    drive = np.sqrt((1 - alpha_bar) * alpha_bar) / _spread(alpha_bar, s)
    return drive * (_beta(alpha_bar) if weighted else 1.0)


def _spread(alpha_bar: np.ndarray, s: float) -> np.ndarray:
    return alpha_bar * s**2 + 1 - alpha_bar


def _beta(alpha_bar: np.ndarray) -> np.ndarray:
    return 1 - alpha_bar / np.insert(alpha_bar[:-1], 0, 1.0)
