"""A dense matrix for each state, by its singular value decomposition."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.types import State
from tasks.operators.spectral import SpectralOperator


class Matrix(SpectralOperator):
    """A x = U diag(s) Vᵀ x for states of any shape, which are flattened; every sample has its own A.

    Args:
        u: U, (B, m, m).
        s: s ≥ 0, (B, m).
        vt: Vᵀ with orthonormal rows, (B, m, n), n the numbers in one state.
        shape: of one state.
    """

    def __init__(self, u: Tensor, s: Tensor, vt: Tensor, shape: tuple[int, ...]) -> None:
        self._u, self._s, self._vt, self._shape = u, s, vt, shape

    def matrix(self) -> Tensor:
        """A, (B, m, n)."""
        return (self._u * self._s[:, None]) @ self._vt

    def forward(self, x: State) -> Tensor:
        return self.u(self._s[:, None] * self.v_adjoint(x))

    def adjoint(self, y: Tensor) -> State:
        return self.v(self._s[:, None] * self.u_adjoint(y))

    def parameters(self) -> dict[str, Tensor]:
        return {"matrix": self.matrix()}

    def singular_values(self, like: Tensor) -> Tensor:
        return self._s[:, None].to(like)

    def u(self, coefficients: Tensor, /) -> Tensor:
        return torch.matmul(coefficients, self._u.mT)[:, 0]

    def u_adjoint(self, y: Tensor, /) -> Tensor:
        return torch.matmul(y[:, None], self._u)

    def v(self, coefficients: Tensor, /) -> State:
        return torch.matmul(coefficients, self._vt).reshape(-1, *self._shape)

    def v_adjoint(self, x: State, /) -> Tensor:
        return torch.matmul(x.flatten(1)[:, None], self._vt.mT)
