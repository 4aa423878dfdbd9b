"""A backward pass in float16 whose gradient neither over- nor underflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dsg.types import expand_to

LARGEST = 8
"""log₂ of what a sample's largest number is scaled to: float16 reaches from 2⁻²⁴ to 2¹⁶."""
STEP = 8
"""How many powers of two less are tried next, where something overflowed."""
TRIES = 4


class ScaledBackward:
    """Runs a function of x forward as it is, and backward as g ↦ Jᵀ(2ᵏ g)/2ᵏ with a k for each sample.

    A backward pass is linear and a power of two changes no digit, so that this is Jᵀ g. Where a sample's result is not
    finite, it is computed again with a smaller k: `overflows` counts how often. Jᵀ g of finite g that is not finite at
    any scale stays so, and is for the caller to find.
    """

    def __init__(self) -> None:
        self.active, self.overflows = False, 0

    def __call__(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """function(x) in the precision of `x`; the function is differentiated once, not twice."""
        if not self.active or not (torch.is_grad_enabled() and x.requires_grad):
            return function(x).to(x.dtype)
        return _Scaled.apply(x, function, self)


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor], scaled: ScaledBackward) -> Tensor:
        with torch.enable_grad():
            inner = x.detach().requires_grad_()
            output = function(inner)
        ctx.scaled = scaled
        ctx.save_for_backward(inner, output)  # which lets go of the function's own graph after the last backward
        return output.detach().to(x.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        inner, output = ctx.saved_tensors
        largest = gradient.flatten(1).abs().amax(dim=1)
        known = largest.isfinite()
        nothing = largest == 0.0  # as of a sample whose answer here is not used: what overflowed says nothing of 0
        exponent = LARGEST - torch.frexp(torch.where(known, largest, 1.0)).exponent
        exponent = exponent.clamp(max=126)  # of what float32 holds as a power of two
        for _ in range(TRIES):
            scale = torch.ldexp(torch.ones_like(largest), exponent)
            scaled = (gradient * expand_to(scale, gradient)).to(output.dtype)
            (found,) = torch.autograd.grad(output, inner, scaled, retain_graph=True)
            over = known & ~nothing & ~found.flatten(1).isfinite().all(dim=1)
            if not over.any():  # the one number that is read from the device in a step
                break
            ctx.scaled.overflows += 1
            exponent = exponent - STEP * over.to(exponent.dtype)
        return torch.where(expand_to(nothing, found), 0.0, found / expand_to(scale, found)), None, None
