"""Latent diffusion with hard data consistency."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.hard_consistency import HardConsistency
from dsg.guidance.linear import noise_level, require_encoder, require_inverse_problem
from dsg.guidance.window import check_at_least
from dsg.models.base import ScoreModel
from dsg.process import LossGradient, ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import PerSample, State
from tasks.base import Task


@dataclass(frozen=True)
class ReSample(Guidance):
    """Song et al. 2024 (2307.08123), algorithm 1: ordinary steps, and at some of them the estimate is made consistent
    with y and the state is drawn anew around it,

        ẑ(y) = argmin ‖y − A D(ẑ)‖² from ẑ = x̂(x_t),
        x_prev ~ N(√ā_prev ẑ(y), 1−ā_prev) · N(x'_prev, s),   s = γ β (1−ā_prev)/(1−ā)   (`resampled`)

    with x'_prev the kernel's step. The trajectory is in three parts: none of it; then the minimum is sought among
    pictures, from D(x̂), and is encoded; then among latents. The last step is consistent always, and ends at ẑ(y).

    No backward pass through the network, as in the paper. The published code takes besides at every step that of DPS,
    x'_prev ← x'_prev − w ā ∇_{x_t} L, w = 0.5 (`gradient_scale`), and goes five steps of DDIM on from x'_prev to the
    estimate that it makes consistent (`further_steps`); 500 steps of DDIM with η = 0, interval 10, γ = 40, AdamW at
    0.01 for at most 2000 iterations among pictures and at 0.005 for 500 among latents (200 for inpainting). Its x̂ there
    is (x_t − (1−ā) ε)/√ā, which takes ε for the score; here it is the network's.

    Any task y = A(x) + noise. In pixel space both kinds are one but for their numbers.

    Args:
        interval: steps from one consistent one to the next, at least 1: those whose index (0 is the last step) is
            divisible by it.
        begin: share of the trajectory before the first consistent step, in [0, 1].
        latent_from: share of it after which the minimum is sought among latents, in [0, 1].
        pixel: how it is sought among pictures.
        latent: how it is sought among latents.
        resample_scale: γ ≥ 0: the larger, the nearer x_prev is to a draw around ẑ(y) alone; 0 keeps x'_prev.
        gradient_scale: w ≥ 0.
        further_steps: at least 0.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task without y = A(x), or a model of
            latents that encodes nothing.
    """

    interval: int = 10
    begin: float = 1 / 3
    latent_from: float = 2 / 3
    pixel: HardConsistency = field(default_factory=HardConsistency)
    latent: HardConsistency = field(default_factory=lambda: HardConsistency(learning_rate=5e-3))
    resample_scale: float = 40.0
    gradient_scale: float = 0.0
    further_steps: int = 0

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise UserError(f"interval: ReSample's must be at least 1, got {self.interval}")
        for name, share in (("begin", self.begin), ("latent_from", self.latent_from)):
            if not 0.0 <= share <= 1.0:
                raise UserError(f"{name}: ReSample's must be in [0, 1], got {share}")
        check_at_least(self.resample_scale, 0, "resample_scale")
        check_at_least(self.gradient_scale, 0, "gradient_scale")
        check_at_least(self.further_steps, 0, "further_steps")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_inverse_problem("ReSample", task)
        require_encoder("ReSample", score_model)

    def is_consistent(self, step: Step) -> bool:
        """Whether the estimate is made consistent at this step."""
        due = step.position >= self.begin * step.total and step.index % self.interval == 0
        return step.is_last or due

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        guide = self._guide(x_t, step, process)
        prediction = process.predict(x_t, step) if guide is None else guide.prediction
        transition = process.transition(x_t, prediction, step)
        x_prev = transition.sample(process.noise(x_t))
        if guide is not None:
            x_prev = x_prev - self.gradient_scale * step.alpha_bar * guide.gradient
        if self.is_consistent(step):
            estimate = self._consistent(self._estimate(prediction.clean_estimate, x_prev, step, process), step, process)
            noise = process.noise(x_t, Purpose.RECURRENCE)
            x_prev = resampled(estimate, x_prev, self.resample_scale * step.posterior_variance, step, noise)
        if guide is None:
            return StepRecord(step, x_t, x_prev, prediction, transition)
        return StepRecord(step, x_t, x_prev, prediction, transition, guide.loss, guide.gradient)

    def _guide(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient | None:
        return process.loss_gradient(x_t, step) if self.gradient_scale > 0.0 else None

    def _estimate(self, estimate: State, state: State, step: Step, process: ReverseProcess) -> State:
        """x̂ after `further_steps` of DDIM (η = 0) from x'_prev, or as many as are left; without any x̂(x_t)."""
        after = process.steps[step.position + 1 :]
        for level in after[: self.further_steps]:
            prediction = process.predict(state, level)
            estimate = prediction.clean_estimate
            state = level.prev.signal * estimate + level.prev.noise * prediction.epsilon
        return estimate

    def _consistent(self, estimate: State, step: Step, process: ReverseProcess) -> State:
        """ẑ(y), (B, *shape)."""
        sigma, noisy = noise_level(process)
        numbers = noisy.to(estimate).clamp(min=1)

        def of_picture(image: State) -> PerSample:
            return process.task.loss(image, process.measurement) ** 2 / numbers

        if not step.is_last and step.position < self.latent_from * step.total:
            image, _ = self.pixel.solve(process.decode(estimate), of_picture, sigma)
            return process.encode(image)
        found, _ = self.latent.solve(estimate, lambda state: of_picture(process.decode(state)), sigma)
        return found


def resampled(estimate: State, state: State, variance: float, step: Step, noise: State) -> State:
    """A draw from N(√ā_prev ẑ, 1−ā_prev)·N(x'_prev, s), normalised (proposition 1 of the paper):

        (s √ā_prev ẑ + (1−ā_prev) x'_prev)/(s + 1−ā_prev) + √(s (1−ā_prev)/(s + 1−ā_prev)) n

    Args:
        estimate: ẑ, (B, *shape).
        state: x'_prev, (B, *shape).
        variance: s ≥ 0.
        step: the one that ends at ā_prev; after the last one that is 1, and the draw is ẑ.
        noise: n ~ N(0, I), (B, *shape).
    """
    wide = step.prev.noise_variance
    if wide == 0.0:
        return estimate
    share = variance / (variance + wide)
    return share * step.prev.signal * estimate + (1.0 - share) * state + math.sqrt(share * wide) * noise
