"""The velocity of the variance-preserving flow, in which some combiners are written."""

from __future__ import annotations

import math

from dsg.diffusion.schedule import NoiseLevel
from dsg.types import State


def to_velocity(epsilon: State, x_t: State, level: NoiseLevel) -> State:
    """v = √ā ε − √(1−ā) x̂ = (ε − √(1−ā) x_t)/√ā (Salimans & Ho 2022, 2202.00512), (B, *shape)."""
    return (epsilon - math.sqrt(1.0 - level.alpha_bar) * x_t) / math.sqrt(level.alpha_bar)


def from_velocity(velocity: State, x_t: State, level: NoiseLevel) -> State:
    """ε = √ā v + √(1−ā) x_t, (B, *shape)."""
    return math.sqrt(level.alpha_bar) * velocity + math.sqrt(1.0 - level.alpha_bar) * x_t
