"""Masked processes of a few tokens: every law by closed form or by the master equation, none by sampling.

Time runs from 1, all masked, to 0; at unit speed a token is still masked at t with chance t, so that in u = −log t it is
unmasked at rate 1. Guided rates are w_i(v) = p_c(v | seen)^γ p(v | seen)^{1−γ}, or these over their sum Z_i. Tables are
arrays (V, ..., V), a side a token, float64; `told` is p(x | c) and `untold` p(x).
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
            law[token] = marginal[token] * tilt(*(chances(t, state, 1 - first) for t in (told, untold)), scale)[0]
        laws.append(law if first == 0 else law.T)
        speeds.append(1.0 if normalised else speed)
    return (speeds[0] * laws[0] + speeds[1] * laws[1]) / sum(speeds)


def states_of(table: np.ndarray) -> list[State]:
    """Every partly masked sequence."""
    return list(product(range(len(table) + 1), repeat=table.ndim))


def rates(guided: Guided, state: State, scale: float) -> dict[int, np.ndarray]:
    """w_i(v), (V,), of each masked place of a state."""
    size, found = len(guided.told), {}
    for place in (i for i, token in enumerate(state) if token == size):
        law, speed = tilt(*(chances(table, state, place) for table in (guided.told, guided.untold)), scale)
        found[place] = law if guided.normalised else speed * law
    return found


def law(guided: Guided) -> np.ndarray:
    """The law of the samples, (V, ..., V), by the master equation in u, from kink to kink."""
    states = states_of(guided.told)
    now = np.zeros(len(states))
    now[states.index((len(guided.told),) * guided.told.ndim)] = 1.0
    stops = sorted({0.0, LAST, *(-np.log(t) for t in guided.kinks if 0.0 < t < 1.0)})
    for start, stop in pairwise(stops):
        if start == stops[-2] or _constant(guided, start, stop):  # the same scale all along: the generator is fixed
            middle = np.exp(-0.5 * (start + stop))
            if _constant(guided, start, stop):
                matrix = _generator(guided, states, guided.scale(middle))
                now = _evolve(lambda u, p, fixed=matrix: fixed @ p, now, start, stop)
                continue
        now = _evolve(lambda u, p: _generator(guided, states, guided.scale(np.exp(-u))) @ p, now, start, stop)
    return _seen(guided, states, now)


def leaping_law(guided: Guided, steps: int) -> np.ndarray:
    """The law of τ-leaping in equal steps of t, (V, ..., V): a step's rates are held, and its tokens leave apart."""
    states, size = states_of(guided.told), len(guided.told)
    place_of = {state: i for i, state in enumerate(states)}
    now = np.zeros(len(states))
    now[place_of[(size,) * guided.told.ndim]] = 1.0
    for k in range(steps):
        time, after = 1.0 - k / steps, 1.0 - (k + 1) / steps
        following = np.zeros_like(now)
        for state, mass in zip(states, now, strict=True):
            if mass == 0.0:
                continue
            options = [{token: 1.0} for token in state]
            for place, weights in rates(guided, state, guided.scale(time)).items():
                stays = (after / time) ** weights.sum() if k + 1 < steps else 0.0
                moved = (1.0 - stays) * weights / weights.sum()
                options[place] = {size: stays, **dict(enumerate(moved))}
            for choice in product(*(option.items() for option in options)):
                tokens, parts = zip(*choice, strict=True)
                following[place_of[tokens]] += mass * np.prod(parts)
        now = following
    return _seen(guided, states, now)


def reciprocal(law: np.ndarray, told: np.ndarray, untold: np.ndarray, share: float) -> float:
    """E[1/p(c | x)] of samples with this law, where p(c) = share: Σ law · p/(p(c) p_c)."""
    return float((law * untold / (share * np.where(told > 0, told, 1.0)))[law > 0].sum())


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    """½ Σ |p − q|."""
    return float(0.5 * np.abs(one - other).sum())


def _constant(guided: Guided, start: float, stop: float) -> bool:
    inside = np.linspace(start, min(stop, start + 5.0), 7)[1:-1]
    return len({round(guided.scale(float(np.exp(-u))), 12) for u in inside}) == 1


def _evolve(slope: Callable, now: np.ndarray, start: float, stop: float) -> np.ndarray:
    return np.asarray(solve_ivp(slope, (start, stop), now, method="DOP853", rtol=1e-9, atol=1e-12).y)[:, -1]


def _generator(guided: Guided, states: Sequence[State], scale: float) -> np.ndarray:
    """dp/du = G p, (S, S)."""
    place_of = {state: i for i, state in enumerate(states)}
    matrix = np.zeros((len(states), len(states)))
    for state in states:
        for place, weights in rates(guided, state, scale).items():
            for token, weight in enumerate(weights):
                matrix[place_of[(*state[:place], token, *state[place + 1 :])], place_of[state]] += weight
            matrix[place_of[state], place_of[state]] -= weights.sum()
    return matrix


def _seen(guided: Guided, states: Sequence[State], now: np.ndarray) -> np.ndarray:
    """Of the states in which nothing is masked, as a table that sums to 1."""
    size = len(guided.told)
    found = np.array([mass for state, mass in zip(states, now, strict=True) if size not in state])
    return found.reshape(guided.told.shape) / found.sum()
