"""The kernel distance between two sets of features."""

from __future__ import annotations

from torch import Tensor

BLOCK = 1024  # rows at a time, so that no matrix of all pairs is held


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy, features (n, d) and (m, d) with n, m ≥ 2:

        1/(n(n−1)) Σ_{i≠j} k(x_i, x_j) + 1/(m(m−1)) Σ_{i≠j} k(y_i, y_j) − 2/(nm) Σ_{ij} k(x_i, y_j)

    with k(a, b) = (a·b/d + 1)³ (Bińkowski et al. 2018, equation 4). Its expectation is 0 for equal distributions,
    whatever n and m are, so that it may be below 0. All pairs are taken: clean-fid's mean over random subsets of 1000
    estimates the same, with a larger variance.

    Raises:
        ValueError: of fewer than two features on a side.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError("a kernel distance needs two pictures on each side")
    x, y = x.double(), y.double()
    n, m = len(x), len(y)
    return _distinct(x) / (n * (n - 1)) + _distinct(y) / (m * (m - 1)) - 2 * _pairs(x, y) / (n * m)


def _pairs(x: Tensor, y: Tensor) -> float:
    """Σ_{ij} k(x_i, y_j)."""
    return sum((rows @ y.T / x.shape[1] + 1).pow(3).sum().item() for rows in x.split(BLOCK))


def _distinct(x: Tensor) -> float:
    """Σ_{i≠j} k(x_i, x_j)."""
    return _pairs(x, x) - (x.square().sum(1) / x.shape[1] + 1).pow(3).sum().item()
