"""Guidance with the spherical Gaussian constraint: a step rule over any method's gradient."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from dsg.errors import UserError
from dsg.guidance.base import LossGuidance
from dsg.guidance.dps import DPS
from dsg.kernels import ReverseKernel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.schedule import Step
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

    Raises:
        UserError: for values outside these ranges, or a kernel without noise (DDIM with eta 0).
    """

    base: LossGuidance = field(default_factory=DPS)
    guidance_rate: float = 0.1
    interval: int = 1
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.guidance_rate <= 1.0:
            raise UserError(f"guidance_rate: DSG's rate must be in [0, 1], got {self.guidance_rate}")
        if self.interval < 1:
            raise UserError(f"interval: must be at least 1 (1 guides every step), got {self.interval}")
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise UserError(f"start, stop: need 0 ≤ start < stop, got {self.start} and {self.stop}")

    def check(self, kernel: ReverseKernel, task: Task) -> None:
        self.base.check(kernel, task)
        if not kernel.is_stochastic:
            raise UserError(
                "DSG constrains the step to the sphere of radius √n·σ, and DDIM with eta 0 has σ = 0; "
                "set model.kernel.eta above 0 (the paper uses 1)"
            )

    def is_guided(self, step: Step) -> bool:
        in_window = self.start <= step.position and (self.stop is None or step.position < self.stop)
        has_noise = step.index > 0
        return self.guidance_rate > 0.0 and has_noise and in_window and step.index % self.interval == 0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        return self.base.gradient(x_t, step, process)

    def repeats(self, step: Step) -> int:
        return self.base.repeats(step)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        radius = expand_to(guided.transition.radius(), guided.x_t)
        random = guided.transition.std * guided.noise
        towards = -radius * direction(guided.gradient)
        mixed = random + self.guidance_rate * (towards - random)
        constrained = guided.transition.mean + radius * direction(mixed)
        defined = (per_sample_norm(guided.gradient) > 0) & (per_sample_norm(mixed) > 0)
        return torch.where(expand_to(defined, guided.x_t), constrained, guided.unguided)
