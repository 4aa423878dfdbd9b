"""The probability-flow ordinary differential equation, by a solver of second order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dsg.diffusion.kernels.base import ReverseKernel, Transition
from dsg.diffusion.kernels.ddim import DDIM
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Step
from dsg.types import State


@dataclass(frozen=True)
class Heun(ReverseKernel):
    """Karras et al. 2022 (2206.00364), algorithm 1: with x̃ = x/√ā and σ̃ = √((1−ā)/ā) the flow is dx̃/dσ̃ = ε, and

        x̃' = x̃ + (σ̃_prev − σ̃) ε(x̃)                       Euler, which is DDIM with η = 0
        x̃_prev = x̃ + (σ̃_prev − σ̃) (ε(x̃) + ε(x̃'))/2      its correction

    Order 2 at two evaluations a step; the last step, to σ̃ = 0, is Euler's. Under a loss guidance the gradient is that
    of the first evaluation, and the second one is unguided. Deterministic. `spacing: log_snr` suits it.
    """

    @property
    def is_stochastic(self) -> bool:
        return False

    def transition(self, x_t: State, prediction: Prediction, step: Step) -> Transition:
        return DDIM(eta=0.0).transition(x_t, prediction, step)

    def correct(
        self, transition: Transition, x_t: State, prediction: Prediction, step: Step,
        predict_next: Callable[[State], Prediction],
    ) -> Transition:  # fmt: skip
        if step.index == 0:
            return transition
        corrected = (prediction.epsilon + predict_next(transition.mean).epsilon) / 2.0
        distance = _sigma(step.alpha_bar_prev) - _sigma(step.alpha_bar)
        signal, signal_prev = math.sqrt(step.alpha_bar), math.sqrt(step.alpha_bar_prev)
        return Transition(signal_prev / signal * x_t + signal_prev * distance * corrected, 0.0)


def _sigma(alpha_bar: float) -> float:
    """σ̃ = √((1−ā)/ā), the noise of x/√ā."""
    return math.sqrt((1.0 - alpha_bar) / alpha_bar)
