"""FlowChef: a flow is steered by gradients that skip its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.back_projection import BackProjection, check_back_projection, residual_loss
from dsg.guidance.base import LossGuidance
from dsg.guidance.descent import Optimiser, descended
from dsg.guidance.linear import require_inverse_problem, require_linear_operator
from dsg.guidance.window import Windowed, check_at_least
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import PerSample, State
from tasks.base import Task


@dataclass(frozen=True)
class FlowChef(Windowed, LossGuidance):
    """Patel et al. 2024 (2412.00100): along a straight flow the state goes with the clean estimate, so that
    what the gradient of the loss does to x̂ is done to the state, with the velocity v as it was,

        u ← u − step_size ∇_x̂ L(x̂ = u − t v, y), K times from u = x_t;   u_prev = u − (t − t_prev) v

    in a flow's coordinates u = x/(√ā + √(1−ā)). Here, on any model and kernel, x_prev is the kernel's step and
    (√ā_prev + √(1−ā_prev)) times what K steps moved x̂ by. The paper's kernel is Euler on the flow, DDIM(0). No backward
    pass through the network; of latents, K passes through the decoder, forward and backward.

    The published code descends the mean square of y − A x̂ (`mean_square`): in pixels (RF++ at 64x64) with step_size 500
    and K = 1 on all steps but the last; in latents (InstaFlow) by Adam, which starts afresh in each step, K = 1, with
    the learning rate 0.02, for a box 0.5. FlowDPS's authors run it on Stable Diffusion 3 with step_size 50 and a B.

    DSG over this method follows the first gradient.

    Args:
        step_size: of `descent`, or Adam's learning rate, at least 0; 0 is the unguided sampler.
        optimisation_steps: K ≥ 0; so is 0.
        optimiser: `descent` or `adam`.
        residual: what is descended: `measurement`, the task's loss, for any task; `mean_square`, ‖y − A D(x̂)‖² over the
            numbers of y; or the norm of B (y − A D(x̂)), of linear tasks with a B.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that has no y = A(x) with
            `mean_square`, or that is not linear with a B.
    """

    step_size: float = 1.0
    optimisation_steps: int = 1
    optimiser: Optimiser = "descent"
    residual: Literal["measurement", "mean_square"] | BackProjection = "measurement"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self.step_size, 0, "step_size")
        check_at_least(self.optimisation_steps, 0, "optimisation_steps")
        if self.optimiser not in get_args(Optimiser):
            raise UserError(f"optimiser: FlowChef's must be descent or adam, got {self.optimiser!r}")
        check_back_projection("FlowChef", "residual", self.residual, "measurement", "mean_square")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        if self.residual == "mean_square":
            require_inverse_problem("FlowChef with residual mean_square", task)
        elif self.residual != "measurement":
            require_linear_operator(f"FlowChef with residual {self.residual}", task)

    def is_guided(self, step: Step) -> bool:
        return self.step_size > 0.0 and self.optimisation_steps > 0 and self.in_window(step)

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """The first one, ∇_x̂ in clean space."""
        prediction = process.predict(x_t, step)
        losses: list[PerSample] = []
        _, gradient = process.clean_loss_gradient(prediction.clean_estimate, self._objective(process, losses))
        return LossGradient(prediction, losses[0], gradient, kind="clean_loss")

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        estimate, objective = guided.guide.prediction.clean_estimate, self._objective(process)
        first: list[State] = [guided.gradient]  # known at x̂, and not taken again

        def gradient(state: State) -> State:
            return first.pop() if first else process.clean_loss_gradient(state, objective)[1]

        reached = descended(estimate, gradient, self.optimisation_steps, self.step_size, self.optimiser)
        after = guided.step.prev
        return guided.unguided + (after.signal + after.noise) * (reached - estimate)

    def _objective(
        self, process: ReverseProcess, losses: list[PerSample] | None = None
    ) -> Callable[[State], PerSample]:
        if self.residual != "mean_square":
            return residual_loss(process, self.residual, losses)
        norm, numbers = residual_loss(process, "measurement", losses), process.measurement.y[0].numel()
        return lambda clean_estimate: norm(clean_estimate) ** 2 / numbers
