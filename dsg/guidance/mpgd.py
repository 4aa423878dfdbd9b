"""Manifold-preserving guidance: no backward pass through the network."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Step
from dsg.guidance.base import LossGuidance
from dsg.guidance.window import check_at_least
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class MPGD(LossGuidance):
    """He et al. 2024 (2311.16424), algorithm 1: the clean estimate moves, ε stays,

        x̂ ← x̂ − c ∇_x̂ L(x̂, y),   x_prev = the kernel's step with (x̂, ε)

    Args:
        step_size: c ≥ 0, for the norm ‖y − A x̂‖₂ as L; 0 is the unguided sampler.

    Raises:
        UserError: for a negative step size.
    """

    step_size: float = 16.0

    def __post_init__(self) -> None:
        check_at_least(self.step_size, 0, "step_size")

    def is_guided(self, step: Step) -> bool:
        return self.step_size > 0.0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """∇_x̂ L: in clean space."""
        prediction = process.predict(x_t, step)
        return LossGradient(prediction, *process.clean_loss_gradient(prediction.clean_estimate))

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        prediction = guided.guide.prediction
        moved = prediction.clean_estimate - self.step_size * guided.gradient
        moved = Prediction(moved, prediction.epsilon, prediction.variance_range)
        return process.transition(guided.x_t, moved, guided.step).sample(guided.noise)
