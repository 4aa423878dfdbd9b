"""Reverse kernels p(x_prev | x_t): from the state and a prediction to a mean and a standard deviation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dsg.errors import UserError
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

    def check(self, learns_variance: bool) -> None:
        """Raise UserError if the score model lacks what this kernel needs."""


@dataclass(frozen=True)
class DDIM(ReverseKernel):
    """Song et al. 2021 (2010.02502), eqs. 12 and 16:

        σ = η √((1−ā_prev)/(1−ā)) √(1−ā/ā_prev),   μ = √ā_prev x̂ + √(1−ā_prev−σ²) ε

    Args:
        eta: η in [0, 1]; 0 is deterministic, 1 has the variance of the DDPM posterior.
    """

    eta: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.eta <= 1.0:
            raise UserError(f"eta: DDIM's η must be in [0, 1], got {self.eta}")

    @property
    def is_stochastic(self) -> bool:
        return self.eta > 0.0

    def transition(self, x_t: State, prediction: Prediction, step: Step) -> Transition:
        std = self.eta * math.sqrt(step.posterior_variance)
        direction = math.sqrt(max(1.0 - step.alpha_bar_prev - std**2, 0.0))
        mean = math.sqrt(step.alpha_bar_prev) * prediction.clean_estimate + direction * prediction.epsilon
        return Transition(mean, std)


@dataclass(frozen=True)
class DDPM(ReverseKernel):
    """Ho et al. 2020 (2006.11239), eq. 7: the posterior mean of x_prev given x_t and x_0 = x̂,

        μ = √ā_prev β/(1−ā) x̂ + √α (1−ā_prev)/(1−ā) x_t,   α = 1−β = ā/ā_prev

    Args:
        variance: `fixed_small` β̃ = β(1−ā_prev)/(1−ā), `fixed_large` β, or `learned_range`, the model's own
            log-interpolation between them, exp(½(v+1) log β + ½(1−v) log β̃) (Nichol & Dhariwal 2021, eq. 15).

    Raises:
        UserError: for another variance.
    """

    variance: Literal["fixed_small", "fixed_large", "learned_range"] = "fixed_small"

    def __post_init__(self) -> None:
        if self.variance not in ("fixed_small", "fixed_large", "learned_range"):
            raise UserError(f"variance: must be fixed_small, fixed_large or learned_range, got {self.variance!r}")

    @property
    def is_stochastic(self) -> bool:
        return True

    def check(self, learns_variance: bool) -> None:
        if self.variance == "learned_range" and not learns_variance:
            raise UserError(
                "kernel: DDPM variance learned_range needs a model with learned variance (ADM: learn_sigma true); "
                "set variance to fixed_small or fixed_large"
            )

    def transition(self, x_t: State, prediction: Prediction, step: Step) -> Transition:
        of_estimate = math.sqrt(step.alpha_bar_prev) * step.beta / (1.0 - step.alpha_bar)
        of_state = math.sqrt(1.0 - step.beta) * (1.0 - step.alpha_bar_prev) / (1.0 - step.alpha_bar)
        mean = of_estimate * prediction.clean_estimate + of_state * x_t
        if step.index == 0:
            return Transition(mean, 0.0)
        if self.variance == "fixed_small":
            return Transition(mean, math.sqrt(step.posterior_variance))
        if self.variance == "fixed_large":
            return Transition(mean, math.sqrt(step.beta))
        assert prediction.variance_range is not None, "checked before the first sample"
        share = (prediction.variance_range + 1.0) / 2.0
        log_variance = share * math.log(step.beta) + (1.0 - share) * math.log(step.posterior_variance)
        return Transition(mean, torch.exp(0.5 * log_variance))
