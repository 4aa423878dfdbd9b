"""The reverse stochastic differential equation, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.diffusion.kernels.base import Predict, Transition
from dsg.diffusion.kernels.reverse_sde import ReverseSDE
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.types import State


@dataclass(frozen=True)
class EulerMaruyama(ReverseSDE):
    """Song et al. 2021 (2011.13456), eqs. 6 and 13, in the time of the Ornstein-Uhlenbeck process, ā = exp(−τ):

        dY = (Y/2 + (1+λ²)/2 s(Y)) dτ + λ dB,   s = −ε/√(1−ā)

    over steps of Δ = log(ā_prev/ā). λ = 1 is the reverse SDE, 0 the probability-flow ODE; all have the same marginals
    as the steps get fine. Weak order 1: it needs many more steps than DDIM and DDPM, which solve the linear part
    exactly, and is here because theorems speak of this equation. Use it with spacing `LogSNR`.

    Args:
        noise: λ ≥ 0.
    """

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        share = (1.0 + self.noise**2) / 2.0 * step.duration / step.noise
        mean = (1.0 + step.duration / 2.0) * x_t - share * prediction.epsilon
        return Transition(mean, 0.0 if step.ends_clean else self.noise * math.sqrt(step.duration))
