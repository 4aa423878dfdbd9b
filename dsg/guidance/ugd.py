"""Universal guidance: forward, backward and recurrence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import EstimateGuidance
from dsg.guidance.descent import Optimiser, descended
from dsg.guidance.window import Windowed, check_at_least
from dsg.process import LossGradient, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class UGD(Windowed, EstimateGuidance):
    """Bansal et al. 2023 (2302.07121), algorithm 1. Forward: the gradient through the network joins ε,

        ε̂ = ε + s √(1−ā) ∇_{x_t} L(x̂(x_t), y)

    backward: m gradient steps from Δ = 0 on L(x̂ + Δ, y) in clean space, then ε̂ ← ε̂ − √(ā/(1−ā)) Δ; the kernel's step is
    taken with ε̂; each step is taken `recurrence` times.

    The published code's backward stage is another: `backward_optimiser` adam, `backward_start` forward and
    `backward_bounds` (−1, 1). There x̂ is that of ε̂, Adam takes it to x̂', clamped before every step and at the end, and
    Δ = x̂' − x̂.

    Args:
        forward_scale: s ≥ 0.
        backward_steps: m ≥ 0.
        backward_step_size: of each of the m steps, at least 0; Adam's learning rate is 0.01 as published.
        recurrence: k ≥ 1.
        backward_optimiser: `descent` is the paper's, `adam` the code's, which starts afresh in each repetition.
        backward_start: where the descent starts: `network`, at the network's own x̂, is the paper's; `forward`, at the
            one that the forward stage has moved, the code's.
        backward_bounds: clamp the descending x̂ to these; null, the paper's, does not.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for values outside these ranges.
    """

    forward_scale: float = 10.0
    backward_steps: int = 0
    backward_step_size: float = 1.0
    recurrence: int = 1
    backward_optimiser: Optimiser = "descent"
    backward_start: Literal["network", "forward"] = "network"
    backward_bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self.forward_scale, 0, "forward_scale")
        check_at_least(self.backward_steps, 0, "backward_steps")
        check_at_least(self.backward_step_size, 0, "backward_step_size")
        check_at_least(self.recurrence, 1, "recurrence")
        if self.backward_optimiser not in get_args(Optimiser):
            raise UserError(f"backward_optimiser: UGD's must be descent or adam, got {self.backward_optimiser!r}")
        if self.backward_start not in ("network", "forward"):
            raise UserError(f"backward_start: UGD's must be network or forward, got {self.backward_start!r}")
        if self.backward_bounds is not None and not self.backward_bounds[0] < self.backward_bounds[1]:
            raise UserError(f"backward_bounds: need low < high, got {list(self.backward_bounds)}")

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.forward_scale > 0.0  # ε moves x̂ by √((1−ā)/ā)

    def is_guided(self, step: Step) -> bool:
        return (self.forward_scale > 0.0 or self._goes_back) and self.in_window(step)

    def repeats(self, step: Step) -> int:
        return self.recurrence

    @property
    def _goes_back(self) -> bool:
        return self.backward_steps > 0 and self.backward_step_size > 0.0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """∇_{x_t} L; without a forward stage ∇_x̂ L, which needs no backward pass through the network."""
        if self.forward_scale > 0.0:
            return process.loss_gradient(x_t, step)
        prediction = process.predict(x_t, step)
        return LossGradient(prediction, *process.clean_loss_gradient(prediction.clean_estimate), kind="clean_loss")

    def moved(self, guide: LossGradient, step: Step, process: ReverseProcess) -> Prediction:
        prediction = guide.prediction
        estimate = start = prediction.clean_estimate
        if self.forward_scale > 0.0:
            estimate = prediction.shifted(self.forward_scale * step.noise * guide.gradient, step).clean_estimate
        if self.backward_start == "forward":
            start = estimate
        if self._goes_back:
            estimate = estimate + (self._descended(start, guide, process) - start)
        return prediction.moved_to(process.bounded(estimate), step)

    def _descended(self, start: State, guide: LossGradient, process: ReverseProcess) -> State:
        """Where the backward stage ends; the gradient at the network's x̂ is not taken again if it is known."""

        def gradient(x: State) -> State:
            known = guide.kind == "clean_loss" and x is guide.prediction.clean_estimate
            return guide.gradient if known else process.clean_loss_gradient(x)[1]

        return descended(
            start, gradient, self.backward_steps, self.backward_step_size, self.backward_optimiser, self.backward_bounds
        )
