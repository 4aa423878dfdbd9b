"""Universal guidance: forward, backward and recurrence."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.guidance.base import EstimateGuidance
from dsg.guidance.window import check_at_least
from dsg.process import LossGradient, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class UGD(EstimateGuidance):
    """Bansal et al. 2023 (2302.07121), algorithm 1. Forward: the gradient through the network joins ε,

        ε̂ = ε + s √(1−ā) ∇_{x_t} L(x̂(x_t), y)

    backward: m gradient steps from Δ = 0 on L(x̂ + Δ, y) in clean space, then ε̂ ← ε̂ − √(ā/(1−ā)) Δ; the kernel's step is
    taken with ε̂; each step is taken `recurrence` times. (The published code's backward stage is Adam from the
    forward-guided x̂.)

    Args:
        forward_scale: s ≥ 0.
        backward_steps: m ≥ 0.
        backward_step_size: of each of the m steps, at least 0.
        recurrence: k ≥ 1.

    Raises:
        UserError: for values outside these ranges.
    """

    forward_scale: float = 10.0
    backward_steps: int = 0
    backward_step_size: float = 1.0
    recurrence: int = 1

    def __post_init__(self) -> None:
        check_at_least(self.forward_scale, 0, "forward_scale")
        check_at_least(self.backward_steps, 0, "backward_steps")
        check_at_least(self.backward_step_size, 0, "backward_step_size")
        check_at_least(self.recurrence, 1, "recurrence")

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.forward_scale > 0.0  # ε moves x̂ by √((1−ā)/ā)

    def is_guided(self, step: Step) -> bool:
        return self.forward_scale > 0.0 or (self.backward_steps > 0 and self.backward_step_size > 0.0)

    def repeats(self, step: Step) -> int:
        return self.recurrence

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """∇_{x_t} L; without a forward stage ∇_x̂ L, which needs no backward pass through the network."""
        if self.forward_scale > 0.0:
            return process.loss_gradient(x_t, step)
        prediction = process.predict(x_t, step)
        return LossGradient(prediction, *process.clean_loss_gradient(prediction.clean_estimate), kind="clean_loss")

    def moved(self, guide: LossGradient, step: Step, process: ReverseProcess) -> Prediction:
        prediction = guide.prediction
        estimate = moved = prediction.clean_estimate
        if self.forward_scale > 0.0:
            estimate = prediction.shifted(self.forward_scale * step.noise * guide.gradient, step).clean_estimate
        for k in range(self.backward_steps):
            known = k == 0 and guide.kind == "clean_loss"
            gradient = guide.gradient if known else process.clean_loss_gradient(moved)[1]
            moved = moved - self.backward_step_size * gradient
        estimate = estimate + (moved - prediction.clean_estimate)
        return prediction.moved_to(process.bounded(estimate), step)
