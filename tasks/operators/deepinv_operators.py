"""Operators of `deepinv` physics objects. Nothing here imports deepinv: an object with its methods will do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dsg.types import Image
from tasks.operators.base import Operator
from tasks.operators.matrix_free import MatrixFree
from tasks.operators.spectral import SpectralOperator

AGREEMENT = 1e-4
"""How exactly, relative to the norm, a physics' adjoint, pseudo-inverse and decomposition have to be what they say."""


class PhysicsOperator(Operator):
    """A = physics.A, which need not be linear."""

    def __init__(self, physics: Any) -> None:
        self.physics = physics

    def forward(self, x: Image) -> Tensor:
        return self.physics.A(x)


class LinearPhysicsOperator(MatrixFree):
    """A = physics.A and Aᵀ = physics.A_adjoint; A⁺ = physics.A_dagger where that has a closed form.

    The methods are tried on random images first. An adjoint that is off by more than AGREEMENT gives way to autograd's;
    so does a pseudo-inverse, as that of most physics, which is an iteration that stops early and for the whole batch at
    once, to conjugate gradients (‖Aᵀ(y − A x)‖ ≤ 1e-5 ‖Aᵀy‖ for each sample, 300 iterations at most).
    """

    def __init__(self, physics: Any, shape: tuple[int, ...], device: torch.device) -> None:
        super().__init__(shape)
        self.physics = physics
        x = probe(2, shape, device)
        y = self.forward(x)
        z = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(y)
        self.has_adjoint = close(physics.A_adjoint(z), super().adjoint(z))
        self.has_pseudo_inverse = is_pseudo_inverse(self, y)

    def forward(self, x: Image) -> Tensor:
        return self.physics.A(x)

    def adjoint(self, y: Tensor) -> Image:
        return self.physics.A_adjoint(y) if self.has_adjoint else super().adjoint(y)

    @torch.no_grad()
    def pseudo_inverse(self, y: Tensor) -> Image:
        return self.physics.A_dagger(y) if self.has_pseudo_inverse else super().pseudo_inverse(y)


class SpectralPhysicsOperator(SpectralOperator):
    """A = U diag(s) Vᵀ of a decomposable physics, whose singular values are called its mask."""

    def __init__(self, physics: Any) -> None:
        self.physics = physics

    def forward(self, x: Image) -> Tensor:
        return self.physics.A(x)

    def adjoint(self, y: Tensor) -> Image:
        return self.physics.A_adjoint(y)

    def singular_values(self, like: Tensor) -> Tensor:
        return torch.as_tensor(self.physics.mask).to(like)

    def largest(self, s: Tensor) -> Tensor:
        """Over all axes: a spectrum has three, (real, imaginary) the last."""
        return s.amax()

    def u(self, coefficients: Tensor, /) -> Tensor:
        return self.physics.U(coefficients)

    def u_adjoint(self, y: Tensor, /) -> Tensor:
        return self.physics.U_adjoint(y)

    def v(self, coefficients: Tensor, /) -> Image:
        return self.physics.V(coefficients)

    def v_adjoint(self, x: Image, /) -> Tensor:
        return self.physics.V_adjoint(x)


def operator_of(physics: Any, shape: tuple[int, ...], device: torch.device) -> Operator:
    """The operator that says most of what `physics` can do with images of `shape` (C,H,W)."""
    if not hasattr(physics, "A_adjoint"):
        return PhysicsOperator(physics)
    if all(hasattr(physics, name) for name in ("U", "U_adjoint", "V", "V_adjoint", "mask")):
        operator = SpectralPhysicsOperator(physics)
        if is_decomposed(operator, probe(2, shape, device)):
            return operator
    return LinearPhysicsOperator(physics, shape, device)


@torch.no_grad()
def is_decomposed(operator: SpectralPhysicsOperator, x: Image) -> bool:
    """Whether s ≥ 0, U Uᵀ = I, and Vᵀ V = I on what Vᵀ makes."""
    mask = torch.as_tensor(operator.physics.mask)
    if mask.is_complex() or (mask < 0).any():
        return False
    c = operator.v_adjoint(x)
    image = operator.forward(x)
    y = probe(len(image), tuple(image.shape[1:]), image.device)
    return (
        not c.is_complex()
        and close(operator.v_adjoint(operator.v(c)), c)
        and close(operator.u(operator.u_adjoint(y)), y)
    )


@torch.no_grad()
def is_pseudo_inverse(operator: LinearPhysicsOperator, y: Tensor) -> bool:
    """Whether physics.A_dagger is linear and per sample, with A A⁺ y = y for y in A's range, and A⁺A symmetric."""
    invert, kind = operator.physics.A_dagger, type(operator.physics)
    if next(k for k in kind.__mro__ if "A_dagger" in vars(k)).__name__ == "LinearPhysics":
        return False  # deepinv's iteration
    x = invert(y)
    if not close(operator.forward(x), y) or not close(invert(y[:1]), x[:1]):
        return False
    other = probe(2, operator.shape, y.device, seed=2)
    image = operator.forward(other)
    projected = invert(image)
    asymmetry = (x * other).sum() - (x * projected).sum()
    return close(invert(y + image), x + projected) and bool(asymmetry.abs() <= AGREEMENT * x.norm() * other.norm())


def probe(count: int, shape: tuple[int, ...], device: torch.device, seed: int = 0) -> Tensor:
    """Random numbers, (count, *shape), always the same."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed)).to(device)


def close(a: Tensor, b: Tensor) -> bool:
    """‖a − b‖ ≤ AGREEMENT ‖b‖, for tensors of one shape."""
    return a.shape == b.shape and bool((a - b).norm() <= AGREEMENT * b.norm())
