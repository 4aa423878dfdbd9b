"""The closed forms of a Gaussian mixture under the forward process.

    p_t = Σ w_i N(a μ_i, C_i),   C_i = a² S_i + (1−a²) I,   a = √ā

S_i = U_i diag(λ_i) U_iᵀ is decomposed once, so C_i^{-1} = U_i diag(1/(a² λ_i + 1 − a²)) U_iᵀ costs no factorisation.
Everything is float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Components:
    """K Gaussians in d dimensions, each with a covariance of its own.

    Args:
        log_weights: log w_i, (K,).
        means: μ_i, (K, d).
        eigenvalues: λ_i ≥ 0 of S_i, (C, d); C is K here, and 1 in `SharedCovariance`.
        basis: U_i with eigenvectors in its columns, (C, d, d); None where every S_i is diagonal.
    """

    log_weights: Tensor
    means: Tensor
    eigenvalues: Tensor
    basis: Tensor | None = None

    def to(self, device: torch.device) -> Components:
        """The same on another device, still float64."""
        basis = None if self.basis is None else self.basis.to(device)
        return replace(
            self,
            log_weights=self.log_weights.to(device),
            means=self.means.to(device),
            eigenvalues=self.eigenvalues.to(device),
            basis=basis,
        )

    def variances(self, alpha_bar: float) -> Tensor:
        """Eigenvalues of C_i at a level, (C, d)."""
        return alpha_bar * self.eigenvalues + (1.0 - alpha_bar)

    def into_axes(self, vectors: Tensor) -> Tensor:
        """U_iᵀ v_i: from the state's axes to the components', (B, C, d) → (B, C, d)."""
        return vectors if self.basis is None else torch.einsum("kde,bkd->bke", self.basis, vectors)

    def out_of_axes(self, vectors: Tensor) -> Tensor:
        """U_i v_i: from the components' axes back to the state's, (B, C, d) → (B, C, d)."""
        return vectors if self.basis is None else torch.einsum("kde,bke->bkd", self.basis, vectors)

    def log_joint(self, x: Tensor, alpha_bar: float) -> Tensor:
        """log w_i N(x; a μ_i, C_i), (B, d) → (B, K)."""
        normaliser = self.variances(alpha_bar).log().sum(-1) + x.shape[1] * math.log(2 * math.pi)
        return self.log_weights - 0.5 * (self.mahalanobis(x, alpha_bar) + normaliser)

    def mahalanobis(self, x: Tensor, alpha_bar: float) -> Tensor:
        """(x − a μ_i)ᵀ C_i^{-1} (x − a μ_i), (B, d) → (B, K)."""
        return (self._residuals(x, alpha_bar).square() / self.variances(alpha_bar)).sum(-1)

    def score(self, share: Tensor, x: Tensor, alpha_bar: float) -> Tensor:
        """−Σ r_i C_i^{-1} (x − a μ_i) for the responsibilities r, (B, K), at x, (B, d); (B, d)."""
        scores = self.out_of_axes(-self._residuals(x, alpha_bar) / self.variances(alpha_bar))
        return torch.einsum("bk,bkd->bd", share, scores)

    def posterior_means(self, x: Tensor, alpha_bar: float) -> Tensor:
        """m_i = μ_i + a S_i C_i^{-1} (x − a μ_i), (B, d) → (B, K, d)."""
        gain = alpha_bar**0.5 * self.eigenvalues / self.variances(alpha_bar)
        return self.means + self.out_of_axes(gain * self._residuals(x, alpha_bar))

    def posterior_covariances(self, alpha_bar: float) -> Tensor:
        """V_i = S_i − a² S_i C_i^{-1} S_i, (C, d, d); its eigenvalues λ (1−a²)/c need no difference of near numbers."""
        return self.assemble(self.eigenvalues * (1.0 - alpha_bar) / self.variances(alpha_bar))

    def assemble(self, eigenvalues: Tensor) -> Tensor:
        """U_i diag(eigenvalues) U_iᵀ, (C, d) → (C, d, d)."""
        if self.basis is None:
            return torch.diag_embed(eigenvalues)
        return torch.einsum("kde,ke,kfe->kdf", self.basis, eigenvalues, self.basis)

    def draw(self, normal: Tensor, log_weights: Tensor | None = None) -> Tensor:
        """Exact clean samples (n, d) from standard normals (n, 1 + d): the first chooses the component, by its Φ.

        `log_weights`, (n, K), are each sample's own instead of the mixture's.
        """
        weights = (self.log_weights.expand(len(normal), -1) if log_weights is None else log_weights).softmax(1)
        uniform = torch.special.ndtr(normal[:, :1])
        chosen = (weights.cumsum(1) < uniform).sum(1).clamp(max=len(self.means) - 1)
        spread = self.eigenvalues.sqrt().expand(len(self.means), -1)[chosen] * normal[:, 1:]
        if self.basis is None:
            return self.means[chosen] + spread
        samples = self.means[chosen]
        for k in chosen.unique().tolist():  # one component at a time: a basis for each sample would not fit in memory
            own = chosen == k
            samples[own] += spread[own] @ self.basis[k % len(self.basis)].T
        return samples

    def _residuals(self, x: Tensor, alpha_bar: float) -> Tensor:
        """U_iᵀ (x − a μ_i), (B, d) → (B, K, d)."""
        return self.into_axes(x[:, None] - alpha_bar**0.5 * self.means)


class SharedCovariance(Components):
    """K Gaussians with one covariance: the same forms by products of matrices, without anything of size B x K x d."""

    def mahalanobis(self, x: Tensor, alpha_bar: float) -> Tensor:
        centre = self.means.mean(0)  # taken off both, so that little cancels in the square
        c, a = self.variances(alpha_bar)[0], alpha_bar**0.5
        z = self._turned(x - a * centre)
        means = self._turned(a * (self.means - centre))
        return (z.square() / c).sum(-1, keepdim=True) - 2 * (z / c) @ means.T + (means.square() / c).sum(-1)

    def score(self, share: Tensor, x: Tensor, alpha_bar: float) -> Tensor:
        residual = self._turned(x - alpha_bar**0.5 * share @ self.means)
        return self.out_of_axes((-residual / self.variances(alpha_bar))[:, None])[:, 0]

    def _turned(self, x: Tensor) -> Tensor:
        return self.into_axes(x[:, None])[:, 0]

    def into_axes(self, vectors: Tensor) -> Tensor:
        return vectors if self.basis is None else vectors @ self.basis[0]

    def out_of_axes(self, vectors: Tensor) -> Tensor:
        return vectors if self.basis is None else vectors @ self.basis[0].T
