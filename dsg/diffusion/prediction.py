"""What a model says of a state: both halves of x_t = √ā x̂ + √(1−ā) ε, each as exactly as its family allows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from dsg.diffusion.level import NoiseLevel
from dsg.types import State


@dataclass(frozen=True)
class Prediction:
    """A model's output at one level, as everything downstream sees it; float32 or better.

    Both halves are finite at both ends: at ā = 0 the state tells nothing of x̂, and at ā → 1 little of ε, so neither can
    always be had from the other.

    Args:
        clean_estimate: x̂ = E[x_0 | x_t], (B, *shape).
        epsilon: ε = E[noise | x_t], (B, *shape); it belongs to x̂ unless a method took them apart (CFG++).
        variance_range: v in about [−1, 1] of a model that learns its reverse variance (Nichol & Dhariwal 2021, eq. 15),
            (B, *shape), or None.
        correction: what a combiner that leads away from a weak prediction added to its ε, γ (ε_c − ε_u) of
            classifier-free guidance, (B, *shape) without a graph; None where nothing was led away from.
    """

    clean_estimate: State
    epsilon: State
    variance_range: State | None = None
    correction: State | None = None

    @classmethod
    def from_epsilon(
        cls, epsilon: State, x_t: State, level: NoiseLevel, variance_range: State | None = None
    ) -> Prediction:
        """x̂ = (x_t − √(1−ā) ε)/√ā (Tweedie); not at ā = 0, where ε says nothing of x̂."""
        return cls((x_t - level.noise * epsilon) / level.signal, epsilon, variance_range)

    @classmethod
    def from_clean(
        cls, clean_estimate: State, x_t: State, level: NoiseLevel, variance_range: State | None = None
    ) -> Prediction:
        """ε = (x_t − √ā x̂)/√(1−ā)."""
        return cls(clean_estimate, (x_t - level.signal * clean_estimate) / level.noise, variance_range)

    @classmethod
    def from_v(cls, v: State, x_t: State, level: NoiseLevel, variance_range: State | None = None) -> Prediction:
        """x̂ = √ā x_t − √(1−ā) v, ε = √(1−ā) x_t + √ā v, exact at both ends (Salimans & Ho 2022, 2202.00512, app. D)."""
        clean_estimate = level.signal * x_t - level.noise * v
        return cls(clean_estimate, level.noise * x_t + level.signal * v, variance_range)

    def v(self, level: NoiseLevel) -> State:
        """v = √ā ε − √(1−ā) x̂, (B, *shape)."""
        return level.signal * self.epsilon - level.noise * self.clean_estimate

    def towards(self, other: Prediction, scale: float | Tensor) -> Prediction:
        """self + scale·(other − self), both halves, of one number or (B, 1, ..., 1); the variance is the other's."""
        clean_estimate = self.clean_estimate + scale * (other.clean_estimate - self.clean_estimate)
        epsilon = self.epsilon + scale * (other.epsilon - self.epsilon)
        return Prediction(clean_estimate, epsilon, other.variance_range)

    def clamped(self, low: float, high: float, x_t: State, level: NoiseLevel) -> Prediction:
        """x̂ clamped to [low, high], and ε recomputed from it."""
        clamped = self.from_clean(self.clean_estimate.clamp(low, high), x_t, level, self.variance_range)
        return replace(clamped, correction=self.correction)

    def moved_to(self, clean_estimate: State, level: NoiseLevel) -> Prediction:
        """The prediction with another x̂, and ε moved with it: ε − √(ā/(1−ā)) (x̂' − x̂).

        Where x̂ and ε belong to each other they still do; where they do not (CFG++), they differ by what they did.
        """
        ratio = level.signal / level.noise
        return replace(
            self, clean_estimate=clean_estimate, epsilon=self.epsilon - ratio * (clean_estimate - self.clean_estimate)
        )

    def shifted(self, shift: State, level: NoiseLevel) -> Prediction:
        """The prediction with ε + shift, and x̂ moved with it: x̂ − √((1−ā)/ā) shift.

        At ā = 0, where no ε says anything of x̂, x̂ stays.
        """
        moved = self.clean_estimate if level.signal == 0.0 else self.clean_estimate - level.sigma * shift
        return replace(self, clean_estimate=moved, epsilon=self.epsilon + shift)

    def detach(self) -> Prediction:
        """The same numbers without a graph."""
        v = self.variance_range
        detached = (self.clean_estimate.detach(), self.epsilon.detach(), None if v is None else v.detach())
        return Prediction(*detached, self.correction)
