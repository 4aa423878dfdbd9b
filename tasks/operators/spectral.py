"""Operators whose singular value decomposition is known, and what follows from it alone."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from dsg.types import Image, PerSample
from tasks.operators.base import LinearOperator, check_positive

CUTOFF = 1e-4
"""Singular values up to this share of the largest count as zero.

‖A A⁺ A x − A x‖ ≤ CUTOFF·‖A‖·‖x‖ then, and noise is amplified by at most 1/(CUTOFF·‖A‖): float32 keeps three digits.
"""


class SpectralOperator(LinearOperator):
    """A = U diag(s) Vᵀ with UᵀU = UUᵀ = VᵀV = I and s ≥ 0; as many coefficients as measurements.

    A function of A Aᵀ or Aᵀ A acts on the coefficients one by one, for example A⁺ = V diag(s⁺) Uᵀ, or
    (r² A Aᵀ + σ² I)⁻¹ = U diag(1/(r² s² + σ²)) Uᵀ. Coefficients may be complex (ᵀ is then the conjugate transpose).
    """

    @abstractmethod
    def singular_values(self, like: Tensor) -> Tensor:
        """s ≥ 0 in no order, in the dtype and on the device of `like`; its last two axes are those of the coefficients,
        the others broadcast."""

    @abstractmethod
    def u(self, coefficients: Tensor, /) -> Tensor:
        """U c: coefficients → measurements."""

    @abstractmethod
    def u_adjoint(self, y: Tensor, /) -> Tensor:
        """Uᵀ y: measurements → coefficients."""

    @abstractmethod
    def v(self, coefficients: Tensor, /) -> Image:
        """V c: coefficients → images."""

    @abstractmethod
    def v_adjoint(self, x: Image, /) -> Tensor:
        """Vᵀ x: images → coefficients."""

    def inverse_singular_values(self, like: Tensor, cutoff: float = CUTOFF) -> Tensor:
        """s⁺ = 1/s where s > cutoff·max(s), at least CUTOFF·max(s), and 0 elsewhere; shaped as `singular_values`."""
        s = self.singular_values(like)
        kept = s > max(cutoff, CUTOFF) * self.largest(s)
        return torch.where(kept, 1 / torch.where(kept, s, 1), 0)

    def largest(self, s: Tensor) -> Tensor:
        """max(s) of `singular_values`, that of each plane, which broadcasts over them."""
        return s.amax(dim=(-2, -1), keepdim=True)

    def norm(self, y: Tensor) -> PerSample:
        """‖A‖₂ = max s, (B,)."""
        return torch.broadcast_to(self.singular_values(y), self.u_adjoint(y).shape).flatten(1).amax(dim=1)

    def pseudo_inverse(self, y: Tensor) -> Image:
        """A⁺ y = V diag(s⁺) Uᵀ y."""
        return self.v(self.inverse_singular_values(y) * self.u_adjoint(y))

    def regularised_inverse(self, y: Tensor, scale: float, shift: float) -> Tensor:
        """(scale·A Aᵀ + shift·I)⁻¹ y = U diag(1/(scale·s² + shift)) Uᵀ y, exactly."""
        check_positive(scale, shift)
        return self.u(self.u_adjoint(y) / (scale * self.singular_values(y) ** 2 + shift))
