"""What a reverse kernel is: p(x_prev | x_t), from the state and a prediction to a mean and a standard deviation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Step
from dsg.types import PerSample, State, per_sample_norm


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
