"""Denoising diffusion implicit models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from dsg.diffusion.kernels.base import Predict, ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.types import State


@dataclass(frozen=True)
class DDIM(ReverseKernel):
    """Song et al. 2021 (2010.02502), eqs. 12 and 16:

        σ = η √((1−ā_prev)/(1−ā)) √(1−ā/ā_prev),   μ = √ā_prev x̂ + √(1−ā_prev−σ²) ε

    With η = 0 it is Euler's method for the probability-flow ODE, and on a rectified flow Euler's method in its time.

    Args:
        eta: η in [0, 1]; 0 is deterministic, 1 has the variance of the DDPM posterior.
    """

    eta: float = 1.0

    renoises: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.eta <= 1.0:
            raise UserError(f"eta: DDIM's η must be in [0, 1], got {self.eta}")

    @property
    def is_stochastic(self) -> bool:
        return self.eta > 0.0

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        std = self.eta * math.sqrt(step.posterior_variance)
        direction = math.sqrt(max(step.prev.noise_variance - std**2, 0.0))
        return Transition(step.prev.signal * prediction.clean_estimate + direction * prediction.epsilon, std)
