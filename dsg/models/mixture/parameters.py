"""From numbers in a configuration to a mixture's parameters, and from a mixture to its posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dsg.errors import UserError

_TOLERANCE = 1e-9


def read_numbers(given: Mapping[str, Any], source: str | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """(weights (K,), means (K, ...), covariances, classes (K,) or None), float64 and int64, checked against each other.

    Raises:
        UserError: names the parameter that is missing or does not fit, and the file if they are from one.
    """
    where = f"GaussianMixture ({source})" if source else "GaussianMixture"
    values = []
    for name in ("weights", "means", "covariances"):
        if given.get(name) is None:
            raise UserError(f"{where}: {name} is missing; give weights, means and covariances, or a file `parameters`")
        try:
            values.append(torch.as_tensor(given[name], dtype=torch.float64).detach().cpu())
        except (ValueError, TypeError) as error:
            raise UserError(f"{where}: {name} is no regular array of numbers ({error})") from error
    weights, means, covariances = values
    if weights.ndim != 1 or not len(weights) or not (weights > 0).all() or not weights.isfinite().all():
        raise UserError(f"{where}: weights must be a list of positive numbers")
    if means.ndim < 2 or len(means) != len(weights):
        raise UserError(f"{where}: means must be one row per weight ({len(weights)}), got shape {tuple(means.shape)}")
    classes = given.get("classes")
    if classes is not None:
        classes = torch.as_tensor(classes, dtype=torch.long).cpu()
        if classes.shape != weights.shape or sorted(set(classes.tolist())) != list(range(int(classes.max()) + 1)):
            raise UserError(
                f"{where}: classes must give each of the {len(weights)} components a label, 0 to C-1, all used"
            )
    return weights, means, covariances, classes


def covariance_spectrum(covariances: Tensor, count: int, dimension: int) -> tuple[Tensor, Tensor | None]:
    """Eigenvalues (C, d) and eigenvectors (C, d, d), or None where all are diagonal; C is 1 where one is for all.

    Args:
        covariances: (), (1, d, d), (K,), (K, d) or (K, d, d).
        count: K.
        dimension: d.

    Raises:
        UserError: if the shape is none of these, or a covariance is not symmetric or has a negative eigenvalue.
    """
    basis = None
    if covariances.shape in ((count, dimension, dimension), (1, dimension, dimension)):
        scale = covariances.abs().amax().clamp_min(1e-300)
        if (covariances - covariances.mT).abs().amax() > _TOLERANCE * scale:
            raise UserError("GaussianMixture: covariances must be symmetric matrices")
        eigenvalues, basis = torch.linalg.eigh(covariances)
        eigenvalues = torch.where(eigenvalues.abs() <= _TOLERANCE * scale, eigenvalues.clamp_min(0.0), eigenvalues)
    elif covariances.shape in ((), (count,), (count, dimension)):
        per_component = covariances if covariances.ndim == 2 else covariances.reshape(-1, 1)
        eigenvalues = per_component.expand(-1, dimension)
    else:
        raise UserError(
            f"GaussianMixture: covariances must be one number, ({count},), ({count}, {dimension}), "
            f"(1, {dimension}, {dimension}) or ({count}, {dimension}, {dimension}), got {tuple(covariances.shape)}"
        )
    if not (eigenvalues >= 0).all():
        raise UserError("GaussianMixture: covariances must have no negative eigenvalue")
    return eigenvalues, basis


def mixture_posterior(
    log_weights: Tensor, means: Tensor, covariances: Tensor, A: Tensor, y: Tensor, sigma: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(weights (K,), means (K, d), covariances (C, d, d)) of p(x_0 | y) for y = A x_0 + σ z; C is 1 or K, as given.

    K_i = A S_i Aᵀ + σ² I;  w_i' ∝ w_i N(y; A μ_i, K_i);  μ_i' = μ_i + S_i Aᵀ K_i^{-1}(y − A μ_i);
    S_i' = S_i − S_i Aᵀ K_i^{-1} A S_i.

    Raises:
        UserError: if the shapes do not fit, or some K_i is singular.
    """
    A, y = A.to(means), y.to(means)
    if A.ndim != 2 or A.shape[1] != means.shape[1] or y.shape != A.shape[:1]:
        raise UserError(
            f"posterior: A must be (m, {means.shape[1]}) and y (m,), got {tuple(A.shape)} and {tuple(y.shape)}"
        )
    cross = A @ covariances  # A S_i, (C, m, d)
    factor, info = torch.linalg.cholesky_ex(cross @ A.T + sigma**2 * torch.eye(len(A)).to(means))
    if info.any():
        raise UserError("posterior: A S Aᵀ + σ² I is singular; give a positive sigma or independent rows of A")
    residual = torch.linalg.solve_triangular(factor, (y - means @ A.T)[..., None], upper=False)  # L^{-1}(y − Aμ)
    gain = torch.linalg.solve_triangular(factor, cross, upper=False)  # L^{-1} A S, so S A^T K^{-1} A S = gain^T gain
    log_evidence = -0.5 * residual.square().sum((1, 2)) - factor.diagonal(dim1=1, dim2=2).log().sum(1)
    shrunk = covariances - gain.mT @ gain
    # a weight below the smallest float64 would be zero, which is no weight
    weights = (log_weights + log_evidence).softmax(0).clamp_min(1e-300)
    return weights, means + (gain.mT @ residual)[..., 0], (shrunk + shrunk.mT) / 2
