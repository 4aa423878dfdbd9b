"""The reverse stochastic differential equation in variance-exploding coordinates, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.diffusion.kernels.base import Predict, Transition
from dsg.diffusion.kernels.reverse_sde import ReverseSDE
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.types import State


@dataclass(frozen=True)
class EulerMaruyamaVE(ReverseSDE):
    """The reverse equation of x̃ = x/√ā = x_0 + σ̃ ε in the time σ̃², by steps of Δ = σ̃² − σ̃_prev²:

        x̃_prev = x̃ − (1+λ²)/2 Δ/σ̃ ε + λ √Δ z

    as InverseBench's codes of DPS, LGD-MC and others take it. With λ = 1 the mean is DDPM's and the variance larger
    than the posterior's; all λ have the same marginals as the steps get fine (Karras et al. 2022, 2206.00364, eq. 6).

    Args:
        noise: λ ≥ 0; 1 is the reverse SDE (`sde: true` there), 0 the probability-flow ODE.

    Raises:
        UserError: for a negative λ, or one that is not finite.
    """

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        duration, signal = step.sigma**2 - step.prev.sigma**2, step.prev.signal
        share = (1.0 + self.noise**2) / 2.0 * duration / step.sigma
        mean = signal / step.signal * x_t - signal * share * prediction.epsilon
        return Transition(mean, 0.0 if step.ends_clean else self.noise * signal * math.sqrt(duration))
