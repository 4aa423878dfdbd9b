"""What a reverse kernel is: p(x_prev | x_t), from the state and a prediction to a mean and a standard deviation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from dsg.models.base import ModelOutput
from dsg.schedule import NoiseLevel, Step
from dsg.types import PerSample, State, per_sample_norm


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


@dataclass(frozen=True)
class Transition:
    """The Gaussian p(x_prev | x_t) = N(mean, std²).

    Args:
        mean: μ, (B, *shape).
        std: σ ≥ 0, one number, or a map (B, *shape) where the model learns its variance.
    """

    mean: State
    std: float | Tensor

    def sample(self, noise: State) -> State:
        """μ + σ z."""
        return self.mean + self.std * noise

    def radius(self) -> PerSample:
        """The norm that σ z concentrates on, (B,): √n σ, or ‖σ‖₂ of a standard-deviation map."""
        if isinstance(self.std, Tensor):
            return per_sample_norm(self.std)
        n = self.mean[0].numel()
        return self.mean.new_full((len(self.mean),), math.sqrt(n) * self.std)


class ReverseKernel(ABC):
    """Turns a prediction into the transition of one step. Knows nothing of losses."""

    @property
    @abstractmethod
    def is_stochastic(self) -> bool:
        """Whether σ > 0 before the last step."""

    @abstractmethod
    def transition(self, x_t: State, prediction: Prediction, step: Step) -> Transition:
        """The step's mean and standard deviation. After the last step σ is 0: the mean is the sample."""

    def correct(
        self, transition: Transition, x_t: State, prediction: Prediction, step: Step,
        predict_next: Callable[[State], Prediction],
    ) -> Transition:  # fmt: skip
        """The transition improved by further evaluations, for a solver of higher order; by default as it is.

        Args:
            predict_next: the prediction at a state of the level that the step goes to; not on the last step.
        """
        return transition

    def check(self, learns_variance: bool) -> None:
        """Raise UserError if the score model lacks what this kernel needs."""
