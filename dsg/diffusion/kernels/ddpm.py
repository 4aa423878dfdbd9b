"""Denoising diffusion probabilistic models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from dsg.diffusion.kernels.base import Predict, ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.types import State


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

    @property
    def reads_variance(self) -> bool:
        return self.variance == "learned_range"

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        of_estimate = step.prev.signal * step.beta / step.noise_variance
        of_state = math.sqrt(1.0 - step.beta) * step.prev.noise_variance / step.noise_variance
        mean = of_estimate * prediction.clean_estimate + of_state * x_t
        if step.ends_clean:
            return Transition(mean, 0.0)
        if self.variance == "fixed_small":
            return Transition(mean, math.sqrt(step.posterior_variance))
        if self.variance == "fixed_large":
            return Transition(mean, math.sqrt(step.beta))
        assert prediction.variance_range is not None, "checked before the first sample"
        share = (prediction.variance_range + 1.0) / 2.0
        log_variance = share * math.log(step.beta) + (1.0 - share) * math.log(step.posterior_variance)
        return Transition(mean, torch.exp(0.5 * log_variance))
