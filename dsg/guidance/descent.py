"""A few steps down a loss in clean space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from dsg.types import State

Optimiser = Literal["descent", "adam"]
Gradient = Callable[[State], State]
Bounds = tuple[float, float] | None


def descended(
    start: State, gradient: Gradient, steps: int, step_size: float, optimiser: Optimiser, bounds: Bounds = None
) -> State:
    """Where `steps` steps from `start` end, (B, *shape); each sample goes its own way.

    Args:
        start: (B, *shape).
        gradient: of the loss at a state, (B, *shape) → (B, *shape).
        steps: at least 0.
        step_size: what `descent` multiplies the gradient by, and the learning rate of `adam`.
        optimiser: plain gradient descent, or Adam (.9, .999) that starts afresh.
        bounds: clamp to these before every step and at the end; None does not clamp.
    """
    return (_by_adam if optimiser == "adam" else _by_descent)(start, gradient, steps, step_size, bounds)


def _by_descent(state: State, gradient: Gradient, steps: int, step_size: float, bounds: Bounds) -> State:
    for _ in range(steps):
        state = _bounded(state, bounds)
        state = state - step_size * gradient(state)
    return _bounded(state, bounds)


def _by_adam(state: State, gradient: Gradient, steps: int, step_size: float, bounds: Bounds) -> State:
    state = state.detach().clone()
    adam = torch.optim.Adam([state], lr=step_size)
    for _ in range(steps):
        state.copy_(_bounded(state, bounds))  # in place, for it is what Adam holds
        state.grad = gradient(state)
        adam.step()
    return _bounded(state, bounds).detach()


def _bounded(state: State, bounds: Bounds) -> State:
    return state if bounds is None else state.clamp(*bounds)
