"""Masked processes of a few tokens: every law by closed form or by the master equation, none by sampling.

Time runs from 1, all masked, to 0; at unit speed a token is still masked at t with chance t, so that in u = −log t it
is unmasked at rate 1. Guided rates are w_i(v) = p_c(v | seen)^γ p(v | seen)^{1−γ}, or these over their sum Z_i. Tables
are arrays (V, ..., V), a side a token, float64; `told` is p(x | c) and `untold` p(x).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

Scale = Callable[[float], float]
"""t ↦ γ ≥ 0."""

State = tuple[int, ...]
"""A token or V, the mask, at each place."""

LAST = 40.0  # u at which e^−u of what is masked at unit speed is left


class Guided(NamedTuple):
    """Tables and how they are guided; `kinks` are the times at which the scale has a corner or jumps."""

    told: np.ndarray
    untold: np.ndarray
    scale: Scale
    normalised: bool
    kinks: tuple[float, ...] = ()


def tilt(told: np.ndarray, untold: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """p_c^γ p^{1−γ} over its sum Z, and Z; 0 where p_c and p are."""
    weights = np.where(told > 0, told, 0.0) ** scale * np.where(untold > 0, untold, 1.0) ** (1.0 - scale)
    return weights / weights.sum(), float(weights.sum())


def chances(table: np.ndarray, state: State, place: int) -> np.ndarray:
    """p(x_place = v | what `state` shows), (V,); all alike after what never happens."""
    size = len(table)
    seen = tuple(slice(None) if token == size else slice(token, token + 1) for token in state)
    others = tuple(axis for axis in range(table.ndim) if axis != place)
    rows = table[seen].sum(axis=others)
    return rows / rows.sum() if rows.sum() > 0 else np.full(size, 1.0 / size)


def ordered(told: np.ndarray, untold: np.ndarray, scale: float, normalised: bool) -> np.ndarray:
    """The law of two tokens under a constant scale, (V, V):

        normalised   ½ [T₁(x₁) T₂|₁(x₂|x₁) + T₂(x₂) T₁|₂(x₁|x₂)]
        otherwise    (Z₁ T₁ T₂|₁ + Z₂ T₂ T₁|₂)/(Z₁ + Z₂)

    T are the tilts of marginals and of conditionals, Z_i the sums of those of the first token.
    """
    size = len(told)
    nothing = (size, size)
    laws, speeds = [], []
    for first in (0, 1):
        marginal, speed = tilt(chances(told, nothing, first), chances(untold, nothing, first), scale)
        law = np.empty((size, size))
        for token in range(size):
            state = (token, size) if first == 0 else (size, token)
            second = chances(told, state, 1 - first), chances(untold, state, 1 - first)
            law[token] = marginal[token] * tilt(second[0], second[1], scale)[0]
        laws.append(law if first == 0 else law.T)
        speeds.append(1.0 if normalised else speed)
    return (speeds[0] * laws[0] + speeds[1] * laws[1]) / sum(speeds)


def states_of(table: np.ndarray) -> list[State]:
    """Every partly masked sequence."""
    return list(product(range(len(table) + 1), repeat=table.ndim))


class Move(NamedTuple):
    """From a state one masked place may be seen: where each token leads, and its chances under both tables."""

    start: int
    ends: np.ndarray  # (V,), numbers of states
    place: int
    told: np.ndarray  # (V,)
    untold: np.ndarray

    def weights(self, scale: float, normalised: bool) -> np.ndarray:
        """w_i(v), (V,)."""
        law, speed = tilt(self.told, self.untold, scale)
        return law if normalised else speed * law


def moves(guided: Guided, states: Sequence[State]) -> list[Move]:
    """All of them."""
    size, number = len(guided.told), {state: i for i, state in enumerate(states)}
    return [
        Move(
            number[state],
            np.array([number[(*state[:place], token, *state[place + 1 :])] for token in range(size)]),
            place,
            chances(guided.told, state, place),
            chances(guided.untold, state, place),
        )
        for state in states
        for place, token in enumerate(state)
        if token == size
    ]


def law(guided: Guided) -> np.ndarray:
    """The law of the samples, (V, ..., V), by the master equation in u, from kink to kink."""
    states = states_of(guided.told)
    steps = moves(guided, states)

    def slope(u: float, now: np.ndarray) -> np.ndarray:
        change, scale = np.zeros_like(now), guided.scale(float(np.exp(-u)))
        for move in steps:
            flow = now[move.start] * move.weights(scale, guided.normalised)
            change[move.ends] += flow
            change[move.start] -= flow.sum()
        return change

    now = np.zeros(len(states))
    now[states.index((len(guided.told),) * guided.told.ndim)] = 1.0
    for start, stop in pairwise(sorted({0.0, LAST, *(-np.log(t) for t in guided.kinks)})):
        inside = (start + 1e-12, stop - 1e-12)  # where the scale jumps it is this side's
        now = np.asarray(solve_ivp(slope, inside, now, method="LSODA", rtol=1e-9, atol=1e-12).y)[:, -1]
    return _seen(guided, states, now)


def leaping_law(guided: Guided, steps: int) -> np.ndarray:
    """The law of τ-leaping in equal steps of t, (V, ..., V): a step's rates are held, and its tokens leave apart."""
    states, size = states_of(guided.told), len(guided.told)
    number = {state: i for i, state in enumerate(states)}
    of_state: dict[int, list[Move]] = {}
    for move in moves(guided, states):
        of_state.setdefault(move.start, []).append(move)
    now = np.zeros(len(states))
    now[number[(size,) * guided.told.ndim]] = 1.0
    for k in range(steps):
        time, after = 1.0 - k / steps, 1.0 - (k + 1) / steps
        following = np.zeros_like(now)
        for start in np.flatnonzero(now).tolist():
            options: list[dict[int, float]] = [{token: 1.0} for token in states[start]]
            for move in of_state.get(start, ()):
                weights = move.weights(guided.scale(time), guided.normalised)
                stays = (after / time) ** weights.sum() if k + 1 < steps else 0.0
                options[move.place] = {size: stays, **dict(enumerate((1.0 - stays) * weights / weights.sum()))}
            for choice in product(*(option.items() for option in options)):
                tokens, parts = zip(*choice, strict=True)
                following[number[tokens]] += now[start] * np.prod(parts)
        now = following
    return _seen(guided, states, now)


def reciprocal(law: np.ndarray, told: np.ndarray, untold: np.ndarray, share: float) -> float:
    """E[1/p(c | x)] of samples with this law, where p(c) = share: Σ law · p/(p(c) p_c)."""
    return float((law * untold / (share * np.where(told > 0, told, 1.0)))[law > 0].sum())


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    """½ Σ |p − q|."""
    return float(0.5 * np.abs(one - other).sum())


def _seen(guided: Guided, states: Sequence[State], now: np.ndarray) -> np.ndarray:
    """Of the states in which nothing is masked, as a table that sums to 1."""
    size = len(guided.told)
    found = np.array([mass for state, mass in zip(states, now, strict=True) if size not in state])
    return found.reshape(guided.told.shape) / found.sum()
