"""What a network says of a state at one level, before and after everything that is made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from dsg.diffusion.schedule import NoiseLevel
from dsg.types import State


class ModelOutput(NamedTuple):
    """What every score model returns, float32.

    epsilon: ε_θ(x_t, t), (B, *shape). variance_range: v in about [−1, 1], (B, *shape), from models that learn the
    reverse variance (Nichol & Dhariwal 2021, eq. 15); None from the others.
    """

    epsilon: State
    variance_range: State | None = None


@dataclass(frozen=True)
class Prediction:
    """A model's output at one level, as everything downstream sees it.

    Args:
        clean_estimate: x̂ = E[x_0 | x_t] = (x_t − √(1−ā) ε)/√ā (Tweedie), (B, *shape).
        epsilon: ε that belongs to `clean_estimate`, (B, *shape).
        variance_range: v of a model that learns its variance, (B, *shape), or None.
    """

    clean_estimate: State
    epsilon: State
    variance_range: State | None = None

    @classmethod
    def from_output(cls, output: ModelOutput, x_t: State, level: NoiseLevel, clip: bool) -> Prediction:
        """Tweedie's formula; with `clip`, x̂ is clamped to [−1, 1] and ε recomputed from it."""
        signal, noise = math.sqrt(level.alpha_bar), math.sqrt(1.0 - level.alpha_bar)
        estimate = (x_t - noise * output.epsilon) / signal
        if not clip:
            return cls(estimate, output.epsilon, output.variance_range)
        estimate = estimate.clamp(-1.0, 1.0)
        return cls(estimate, (x_t - signal * estimate) / noise, output.variance_range)

    def moved_to(self, clean_estimate: State, level: NoiseLevel) -> Prediction:
        """The prediction with another x̂, and ε moved with it: ε − √(ā/(1−ā)) (x̂' − x̂).

        Where x̂ and ε belong to each other they still do; where they do not (CFG++), they differ by what they did.
        """
        ratio = math.sqrt(level.alpha_bar / (1.0 - level.alpha_bar))
        epsilon = self.epsilon - ratio * (clean_estimate - self.clean_estimate)
        return Prediction(clean_estimate, epsilon, self.variance_range)

    def detach(self) -> Prediction:
        """The same numbers without a graph."""
        v = self.variance_range
        return Prediction(self.clean_estimate.detach(), self.epsilon.detach(), None if v is None else v.detach())
