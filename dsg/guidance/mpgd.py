"""Manifold-preserving guidance: no backward pass through the network."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.guidance.base import EstimateGuidance
from dsg.guidance.ruled_step import RuledStep
from dsg.process import LossGradient, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class MPGD(RuledStep, EstimateGuidance):
    """He et al. 2024 (2311.16424), algorithm 1: the clean estimate moves, ε stays,

        x̂ ← x̂ − c ∇_x̂ L(x̂, y),   x_prev = the kernel's step with (x̂, ε)

    Under a kernel that reads x̂ and ε as one (all but DDIM) ε moves with x̂. The authors' code divides c by √ā_prev: rule
    `OverPreviousSignal`, and for faces divides by rms(∇_x̂ L) besides: `UnitOverPreviousSignal` with c = 0.015.

    Args:
        step_size: c ≥ 0, for the norm ‖y − A x̂‖₂ as L; 0 is the unguided sampler.
        rule: ρ, a factor on c (`dsg.guidance.step_rules`); `Constant` is the paper's.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for a negative step size; before the first sample, where ρ divides by √ā, for levels that start at
            ā = 0.
    """

    step_size: float = 16.0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """∇_x̂ L: in clean space."""
        prediction = process.predict(x_t, step)
        return LossGradient(prediction, *process.clean_loss_gradient(prediction.clean_estimate), kind="clean_loss")

    def moved(self, guide: LossGradient, step: Step, process: ReverseProcess) -> Prediction:
        prediction = guide.prediction
        moved = prediction.clean_estimate - self.rule.scaled(self.step_size, guide, step, process)
        return process.with_estimate(prediction, moved, step, keep_epsilon=True)
