"""Guidance with the spherical Gaussian constraint: a step rule over any method's gradient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.base import LossGuidance
from dsg.guidance.dps import DPS
from dsg.guidance.window import check_window, in_window
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import State, direction, expand_to, per_sample_norm
from tasks.base import Task


@dataclass(frozen=True)
class DSG(LossGuidance):
    """Yang et al. 2024 (2402.03201), algorithm 1: the step keeps the norm that noise would have, and leans towards −g:

        r = √n σ,   d* = −r g/‖g‖,   d = σz + w (d* − σz),   x_prev = μ + r d/‖d‖

    w = 1 is the closed-form minimiser of ⟨g, x' − x_t⟩ on the sphere ‖x' − μ‖ = r (eq. 11); only the direction of g
    matters. Steps without noise (the last one) and samples whose gradient vanishes take the ordinary step.

    Args:
        base: the method whose gradient is followed; its own update is not used.
        guidance_rate: w in [0, 1]; 0 is the unguided sampler.
        interval: guide the steps whose index (0 is the last step) is divisible by this; at least 1.
        start: first guided step, counted from the noisy end, 0 being the first.
        stop: first step, counted the same way, that is no longer guided; None guides to the end.
        final_rate: the rate at the last step, in [0, 1]; it is reached linearly. None keeps `guidance_rate`.
        radius: `fixed` is √n σ; `chi` is the norm ‖σz‖ of the step's own noise, a χ(n) draw times σ (2606.28417).

    Raises:
        UserError: for values outside these ranges, or a kernel without noise (DDIM with eta 0, Heun).
    """

    base: LossGuidance = field(default_factory=DPS)
    guidance_rate: float = 0.1
    interval: int = 1
    start: int = 0
    stop: int | None = None
    final_rate: float | None = None
    radius: Literal["fixed", "chi"] = "fixed"

    def __post_init__(self) -> None:
        for name, rate in (("guidance_rate", self.guidance_rate), ("final_rate", self.final_rate)):
            if rate is not None and not 0.0 <= rate <= 1.0:
                raise UserError(f"{name}: DSG's rate must be in [0, 1], got {rate}")
        if self.interval < 1:
            raise UserError(f"interval: must be at least 1 (1 guides every step), got {self.interval}")
        check_window(self.start, self.stop)

    @property
    def needs_condition(self) -> bool:  # type: ignore[override]
        return self.base.needs_condition

    def networks(self) -> tuple[nn.Module, ...]:
        return self.base.networks()

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        self.base.check(kernel, task, score_model)
        if not kernel.is_stochastic:
            raise UserError(
                f"DSG constrains the step to the sphere of radius √n·σ, and {kernel} has σ = 0; set model.kernel to "
                "one with noise, as DDIM with model.kernel.eta above 0 (the paper uses 1)"
            )

    def is_guided(self, step: Step) -> bool:
        has_noise = step.index > 0
        return (
            self.rate(step) > 0.0
            and has_noise
            and in_window(step, self.start, self.stop)
            and step.index % self.interval == 0
        )

    def rate(self, step: Step) -> float:
        """w at this step: from `guidance_rate` at the first to `final_rate` at the last, linear in the position."""
        if self.final_rate is None:
            return self.guidance_rate
        share = step.position / max(step.total - 1, 1)
        return (1.0 - share) * self.guidance_rate + share * self.final_rate

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        return self.base.gradient(x_t, step, process)

    def repeats(self, step: Step) -> int:
        return self.base.repeats(step)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        random = guided.transition.std * guided.noise
        norm = guided.transition.radius() if self.radius == "fixed" else per_sample_norm(random)
        radius = expand_to(norm, guided.x_t)
        towards = -radius * direction(guided.gradient)
        mixed = random + self.rate(guided.step) * (towards - random)
        constrained = guided.transition.mean + radius * direction(mixed)
        defined = (per_sample_norm(guided.gradient) > 0) & (per_sample_norm(mixed) > 0)
        return torch.where(expand_to(defined, guided.x_t), constrained, guided.unguided)
