"""What a reverse kernel is: p(x_prev | x_t), from the state and a prediction to a mean and a standard deviation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError
from dsg.types import PerSample, State, per_sample_norm

Predict = Callable[[State, NoiseLevel], Prediction]
"""The prediction at a state of a level on the way of the step, guided as the one at its start: a further evaluation."""


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


def refuse_noise_alone(who: str, steps: Sequence[Step]) -> None:
    """Raise UserError if a trajectory starts at ā = 0, for whoever divides by √ā."""
    if steps[0].signal == 0.0:
        raise UserError(
            f"{who} divides by √ā and cannot start from noise alone (ā = 0), as the model's schedule does; set "
            "model.spacing to LogSNR or Karras with a noisiest level of its own"
        )


class ReverseKernel(ABC):
    """Turns a prediction into the transition of one step. Knows nothing of losses.

    A subclass writes `transition`, and declares what it reads of a prediction, whether it adds noise, and how often it
    evaluates the network. What it reads has to hold together: x̂ and ε are two views of one prediction, unless
    `renoises` says that ε is read apart from x̂.
    """

    renoises: ClassVar[bool] = False
    """Whether ε is read as a direction of its own, in which noise is put back on x̂, so that it may differ from x̂'s."""

    evaluations: ClassVar[int] = 1
    """Network evaluations of a step: 1 for the prediction that is given and those of `predict`; the last may take 1."""

    needs_signal: ClassVar[bool] = False
    """Whether it divides by √ā, so that it cannot start from noise alone (ā = 0)."""

    becomes_exact: ClassVar[bool] = True
    """Whether with the exact score it draws from the data as the steps get fine."""

    @property
    @abstractmethod
    def is_stochastic(self) -> bool:
        """Whether σ > 0 in the steps that do not end clean."""

    @property
    def reads_variance(self) -> bool:
        """Whether σ is a map that the score model learned, instead of one number."""
        return False

    raising_noise: ClassVar[float] = 1.0
    """By what the noise is scaled that takes a state up to the raised level; 1 keeps the marginals."""

    def raised(self, step: Step, schedule: Schedule) -> Step:
        """The step from the level at which the kernel begins it, noisier than the trajectory's own: by default `step`.

        The process takes the state up there before anything is predicted of it (`ReverseProcess.enter`).

        Raises:
            UserError: if the schedule has no such level. The sampler asks for every step before the first sample.
        """
        return step

    @abstractmethod
    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        """The step's mean and standard deviation. Of a step that ends clean σ is 0: the mean is the sample.

        Args:
            x_t: the state, (B, *shape).
            prediction: at `x_t`.
            step: the levels between which it goes, from the raised one.
            predict: further evaluations, for a solver of higher order. A process always gives it.
        """

    def check(self, learns_variance: bool, steps: Sequence[Step]) -> None:
        """Raise UserError if the score model, or one of the steps, lacks what this kernel needs."""
        name = type(self).__name__
        if self.reads_variance and not learns_variance:
            raise UserError(
                f"kernel: {name} reads a learned variance (learned_range), and the model learns none (ADM: learn_sigma "
                "true); set variance to fixed_small or fixed_large"
            )
        if self.needs_signal:
            refuse_noise_alone(f"kernel: {name}", steps)
