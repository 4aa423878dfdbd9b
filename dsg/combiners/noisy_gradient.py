"""The gradient of what a frozen network says of noisy states: what a classifier and a discriminator guide by."""

from __future__ import annotations

from collections.abc import Callable

import torch

from dsg.types import PerSample, State


def value_and_gradient(of: Callable[[State], PerSample], x_t: State) -> tuple[PerSample, State]:
    """f(x_t) of each sample, (B,), without a graph, and ∇_{x_t} f(x_t), (B, *shape).

    The pass goes through that network alone and is counted as none of the score model's. The gradient has a graph where
    `x_t` has one: under a loss guidance it is itself differentiated.

    Args:
        of: states (B, *shape) → (B,), each sample's of its own state.
    """
    graph = torch.is_grad_enabled() and x_t.requires_grad
    with torch.enable_grad():
        x = x_t if graph else x_t.detach().requires_grad_()
        value = of(x)
        (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=graph)
    return value.detach(), gradient
