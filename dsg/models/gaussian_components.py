"""The closed forms of a Gaussian mixture under the forward process, one component at a time.

    p_t = Σ w_i N(a μ_i, C_i),   C_i = a² S_i + (1−a²) I,   a = √ā

S_i = U_i diag(λ_i) U_iᵀ is decomposed once, so C_i^{-1} = U_i diag(1/(a² λ_i + 1 − a²)) U_iᵀ costs no factorisation.
Everything is float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Components:
    """K Gaussians in d dimensions.

    Args:
        log_weights: log w_i, (K,).
        means: μ_i, (K, d).
        eigenvalues: λ_i ≥ 0 of S_i, (K, d).
        basis: U_i with eigenvectors in its columns, (K, d, d); None where every S_i is diagonal.
    """

    log_weights: Tensor
    means: Tensor
    eigenvalues: Tensor
    basis: Tensor | None = None

    def to(self, device: torch.device) -> Components:
        """The same on another device, still float64."""
        basis = None if self.basis is None else self.basis.to(device)
        return Components(self.log_weights.to(device), self.means.to(device), self.eigenvalues.to(device), basis)

    def variances(self, alpha_bar: float) -> Tensor:
        """Eigenvalues of C_i at a level, (K, d)."""
        return alpha_bar * self.eigenvalues + (1.0 - alpha_bar)

    def residuals(self, x: Tensor, alpha_bar: float) -> Tensor:
        """U_iᵀ (x − a μ_i), (B, d) → (B, K, d)."""
        difference = x[:, None] - alpha_bar**0.5 * self.means
        return difference if self.basis is None else torch.einsum("kde,bkd->bke", self.basis, difference)

    def rotate(self, vectors: Tensor) -> Tensor:
        """U_i v_i: from the components' axes back to the state's, (B, K, d) → (B, K, d)."""
        return vectors if self.basis is None else torch.einsum("kde,bke->bkd", self.basis, vectors)

    def log_joint(self, x: Tensor, alpha_bar: float) -> Tensor:
        """log w_i N(x; a μ_i, C_i), (B, d) → (B, K)."""
        variances = self.variances(alpha_bar)
        mahalanobis = (self.residuals(x, alpha_bar).square() / variances).sum(-1)
        normaliser = variances.log().sum(-1) + x.shape[1] * math.log(2 * math.pi)
        return self.log_weights - 0.5 * (mahalanobis + normaliser)

    def scores(self, x: Tensor, alpha_bar: float) -> Tensor:
        """−C_i^{-1} (x − a μ_i), (B, d) → (B, K, d)."""
        return self.rotate(-self.residuals(x, alpha_bar) / self.variances(alpha_bar))

    def posterior_means(self, x: Tensor, alpha_bar: float) -> Tensor:
        """m_i = μ_i + a S_i C_i^{-1} (x − a μ_i), (B, d) → (B, K, d)."""
        gain = alpha_bar**0.5 * self.eigenvalues / self.variances(alpha_bar)
        return self.means + self.rotate(gain * self.residuals(x, alpha_bar))

    def posterior_covariances(self, alpha_bar: float) -> Tensor:
        """V_i = S_i − a² S_i C_i^{-1} S_i, (K, d, d); its eigenvalues λ (1−a²)/c need no difference of near numbers."""
        return self.assemble(self.eigenvalues * (1.0 - alpha_bar) / self.variances(alpha_bar))

    def assemble(self, eigenvalues: Tensor) -> Tensor:
        """U_i diag(eigenvalues) U_iᵀ, (K, d) → (K, d, d)."""
        if self.basis is None:
            return torch.diag_embed(eigenvalues)
        return torch.einsum("kde,ke,kfe->kdf", self.basis, eigenvalues, self.basis)
