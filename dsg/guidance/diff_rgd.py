"""Guidance by Riemannian gradient descent on the sphere of a step's noise."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.base import Guidance, Unguided
from dsg.guidance.window import Windowed, check_at_least
from dsg.models.base import ScoreModel
from dsg.process import LossGradient, ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State, direction, expand_to, per_sample_norm
from tasks.base import Task


@dataclass(frozen=True)
class DiffRGD(Windowed, Guidance):
    """Liao et al. 2026 (2606.28417), algorithm 1: the step is drawn, and slides on the sphere that it was drawn on,

        x' = μ + σz,   r = ‖σz‖
        g = ∇_{x'} L(x̂(x'), y);   g ← g − ⟨g, u⟩ u/‖u‖², u = x' − μ;   x' ← μ + r (u − η g)/‖u − η g‖,   K times

    with x̂(x') the network's at the level that the step ends at, so that a guided step takes K more passes through it,
    forward and backward. DSG's step is one jump on a sphere of radius √n σ along a gradient at x_t; here the radius is
    the drawn one, the gradient is taken where it acts, and its length counts. The last step, which draws no noise, is
    the ordinary one. A record's loss and gradient are those of the first of the K; its prediction is that at x_t.

    The published code takes norms over the batch, which is one picture there; here they are each sample's own. On FFHQ,
    DDIM with η = 1, K = 3: 100 steps, step_size 5 (random inpainting, super-resolution), 7 (Gaussian) or 2.5 (motion
    deblurring); 1000 steps, 5, 5, 5, 2.5 with interval 5, 10, 5, 4; for faces 30 (segmentation), 2 (sketch), 8 (face).

    Args:
        step_size: η ≥ 0, for the norm ‖y − A x̂‖₂ as L; 0 is the unguided sampler.
        inner_steps: K ≥ 0; so is 0.
        interval: guide the steps whose position (0 is the first) is divisible by this; at least 1.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for values outside these ranges, or a kernel without noise (DDIM with eta 0, Heun).
    """

    step_size: float = 5.0
    inner_steps: int = 3
    interval: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self.step_size, 0, "step_size")
        check_at_least(self.inner_steps, 0, "inner_steps")
        check_at_least(self.interval, 1, "interval")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        if not kernel.is_stochastic:
            raise UserError(
                f"DiffRGD moves on the sphere of a step's noise, and {kernel} has none; set model.kernel to one with "
                "noise, as DDIM with model.kernel.eta above 0 (the paper uses 1)"
            )

    def is_guided(self, step: Step) -> bool:
        due = not step.is_last and step.position % self.interval == 0
        return self.step_size > 0.0 and self.inner_steps > 0 and due and self.in_window(step)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        if not self.is_guided(step):
            return Unguided().step(x_t, step, process)
        prediction = process.predict(x_t, step)
        transition = process.transition(x_t, prediction, step)
        noise = process.noise(x_t)
        x_prev, after = transition.sample(noise), step.at(step.prev, further=True)
        radius = expand_to(per_sample_norm(transition.std * noise), x_t)
        first: LossGradient | None = None
        for _ in range(self.inner_steps):
            guide = process.loss_gradient(x_prev, after)
            first = first or guide
            normal = x_prev - transition.mean
            moved = normal - self.step_size * tangent(guide.gradient, normal)
            x_prev = transition.mean + radius * direction(moved)
        assert first is not None, "inner_steps is above 0"
        return StepRecord(step, x_t, x_prev, prediction, transition, first.loss, first.gradient, noise=noise)


def tangent(gradient: State, normal: State) -> State:
    """What of each sample's gradient is at right angles to `normal`, (B, *shape)."""
    along = direction(normal)
    return gradient - expand_to((gradient * along).flatten(1).sum(1), gradient) * along
