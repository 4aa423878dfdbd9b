"""Training-free energy guidance with time travel."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.guidance.base import LossGuidance
from dsg.guidance.window import check_at_least, check_window, in_window
from dsg.process import GuidedStep, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class FreeDoM(LossGuidance):
    """Yu et al. 2023 (2303.09833), algorithm 2, with the step size of their face code:

        x_prev = μ + σ z − ρ √ā ∇_{x_t} L(x̂(x_t), y)

    and inside a window every step is taken `repetitions` times, going back up in between:

        x_t ← √(ā/ā_prev) x_prev + √(1−ā/ā_prev) z'

    Args:
        step_size: ρ ≥ 0; 0 is the unguided sampler.
        repetitions: how often a step inside the window is taken, at least 1; 1 is no time travel.
        travel_start: first step of the window, counted from the noisy end.
        travel_stop: first step that is no longer in it; None is the end.

    Raises:
        UserError: for values outside these ranges.
    """

    step_size: float = 8.0
    repetitions: int = 1
    travel_start: int = 0
    travel_stop: int | None = None

    def __post_init__(self) -> None:
        check_at_least(self.step_size, 0, "step_size")
        check_at_least(self.repetitions, 1, "repetitions")
        check_window(self.travel_start, self.travel_stop, "travel_start, travel_stop")

    def is_guided(self, step: Step) -> bool:
        return self.step_size > 0.0

    def repeats(self, step: Step) -> int:
        return self.repetitions if in_window(step, self.travel_start, self.travel_stop) else 1

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        return guided.unguided - self.step_size * guided.step.signal * guided.gradient
