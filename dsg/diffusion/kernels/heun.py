"""The probability-flow ordinary differential equation, by a solver of second order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dsg.diffusion.kernels.base import Predict, ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.types import State


@dataclass(frozen=True)
class Heun(ReverseKernel):
    """Karras et al. 2022 (2206.00364), algorithm 1: with x̃ = x/√ā and σ̃ = √((1−ā)/ā) the flow is dx̃/dσ̃ = ε, and

        x̃' = x̃ + (σ̃_prev − σ̃) ε(x̃)                       Euler
        x̃_prev = x̃ + (σ̃_prev − σ̃) (ε(x̃) + ε(x̃'))/2      its correction

    Order 2 at two evaluations a step; the last step, to σ̃ = 0, is Euler's. A method that changes the prediction changes
    both; under a method that moves the state afterwards the second one is unguided. Deterministic. Spacing `LogSNR` or
    `Karras` suits it.
    """

    evaluations: ClassVar[int] = 2
    needs_signal: ClassVar[bool] = True

    @property
    def is_stochastic(self) -> bool:
        return False

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        signal = step.prev.signal
        euler = signal * prediction.clean_estimate + step.prev.noise * prediction.epsilon
        if step.ends_clean:
            return Transition(euler, 0.0)
        assert predict is not None, "a process gives it"
        corrected = (prediction.epsilon + predict(euler, step.prev).epsilon) / 2.0
        return Transition(signal / step.signal * x_t + signal * (step.prev.sigma - step.sigma) * corrected, 0.0)
