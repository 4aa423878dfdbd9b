"""The worst mean error over all mixtures of cells that are not far from uniform.

    W(γ) = max {Σ q_i e_i : KL(q ‖ uniform) ≤ γ} = min_{τ>0} τ log (1/m) Σ_i exp(e_i/τ) + τγ

of m cells with errors e, larger is worse; γ is in nats. q ∝ exp(e/τ) reaches it. W(0) is the mean of the cells and
W(log m) the worst of them alone. After "any diverse distribution" (2410.05980), whose set is the q of entropy
≥ log m − γ.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import elementwise

from dsg.errors import UserError

LOG_SHARPEST = math.log(1e9)
"""Of the range of the errors over τ: cells that are closer than a billionth of it count as equally bad."""
ROUNDING = 1e-9  # by which γ may exceed log m
GAMMA = 1.0  # nats, where nobody says another; of two cells it is log 2


def worst_case(errors: np.ndarray, gamma: float) -> np.ndarray:
    """W(γ), (...) of errors (..., m)."""
    return (worst_mixture(errors, gamma) * errors).sum(-1)


def worst_mixture(errors: np.ndarray, gamma: float) -> np.ndarray:
    """The q that reaches W(γ), (..., m), each ≥ 0, with sum 1.

    KL(q ‖ uniform) rises with 1/τ, from 0 to log(m/k) where k cells are the worst alike. Its logarithm is sought, in
    units of the errors' range, where KL = γ; where γ is beyond log(m/k), q is uniform on those k.

    Args:
        errors: (..., m), finite, m ≥ 1.
        gamma: in [0, log m], as `check_gamma` has it.
    """
    errors = np.asarray(errors, dtype=np.float64)
    worst = errors.max(-1, keepdims=True)
    span = worst - errors.min(-1, keepdims=True)
    below = ((errors - worst) / np.where(span > 0, span, 1.0)).reshape(-1, errors.shape[-1])  # in [−1, 0]
    if gamma <= 0:
        return np.full_like(errors, 1 / errors.shape[-1])
    rows = np.arange(len(below))
    low, high = np.full(len(below), -LOG_SHARPEST), np.full(len(below), LOG_SHARPEST)
    found = elementwise.find_root(lambda sharp, row: _divergence(sharp, below[row.astype(int)]) - gamma,
                                  (low, high), args=(rows,), tolerances={"xrtol": 1e-12, "xatol": 1e-12})  # fmt: skip
    flat = _divergence(low, below) >= gamma  # a γ so small that rounding is all there is of the divergence
    sharp = np.where(found.success, found.x, np.where(flat, low, high))
    return _mixture(sharp, below)[0].reshape(errors.shape)


def check_gamma(gamma: float, cells: int, where: str) -> None:
    """Raise UserError, naming the option `where`, unless 0 ≤ γ ≤ log m, where the worst cell alone is left."""
    most = math.log(cells)
    if not 0 <= gamma <= most + ROUNDING:
        raise UserError(
            f"{where}: must be between 0, the mean of the cells, and log {cells} = {most:.4g}, the worst of these "
            f"{cells} cells alone; got {gamma:g}"
        )


def _mixture(log_sharp: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q, (k, m), and log mean exp(below/τ), (k,), where exp(log_sharp) = 1/τ."""
    weights = np.exp(np.exp(log_sharp)[:, None] * below)
    total = weights.sum(-1)
    return weights / total[:, None], np.log(total / below.shape[-1])


def _divergence(log_sharp: np.ndarray, below: np.ndarray) -> np.ndarray:
    """KL(q ‖ uniform) = Σ q below/τ − log mean exp(below/τ), (k,)."""
    q, log_mean = _mixture(log_sharp, below)
    return np.exp(log_sharp) * (q * below).sum(-1) - log_mean


def gamma_of(stated: float | None, cells: int, where: str) -> float:
    """The γ of m cells: `stated` in [0, log m], or else 1 nat, or log m where that is less.

    Raises:
        UserError: for a stated one that is out of its range, naming the option `where`.
    """
    if stated is None:
        return min(GAMMA, math.log(cells))
    check_gamma(stated, cells, where)
    return stated
