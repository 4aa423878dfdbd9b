"""What the guidances share that follow a network of noisy states: the mean moves along its gradient."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from dsg.combiners.noisy_gradient import value_and_gradient
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.base import LossGuidance
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.process.trace import GradientKind
from dsg.types import PerSample, State
from tasks.base import Task


class NoisyGradient(LossGuidance):
    """What the score s + w ∇_{x_t} f(x_t, t) adds to the mean of a step, and no more:

        x_prev = μ + σ z + w σ² ∇_{x_t} f(x_t, t)

    One evaluation of the score model a step, and no backward pass through it. Subclasses are dataclasses with a field
    `weight`, say what f is, and which combiner changes ε by it instead; this form has a gradient for DSG to take.

    Raises:
        UserError: for a negative w, or a kernel without noise.
    """

    weight: float

    kind: ClassVar[GradientKind]
    combiner: ClassVar[str]

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < float("inf"):
            raise UserError(f"weight: w of {type(self).__name__} must be at least 0 and finite, got {self.weight}")

    @abstractmethod
    def value(self, x_t: State, step: Step, process: ReverseProcess) -> PerSample:
        """f(x_t, t), (B,), differentiable."""

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        if not kernel.is_stochastic:
            raise UserError(
                f"{type(self).__name__} moves the mean by w σ² ∇f, and {kernel} has σ = 0; set model.kernel to one "
                f"with noise, or take the combiner {self.combiner}"
            )

    def is_guided(self, step: Step) -> bool:
        return self.weight > 0.0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        value, gradient = value_and_gradient(lambda x: self.value(x, step, process), x_t.detach())
        return LossGradient(process.predict(x_t, step), -value, -gradient, self.kind)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        return guided.unguided - self.weight * guided.transition.std**2 * guided.gradient
