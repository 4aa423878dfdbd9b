"""Guidance with the spherical Gaussian constraint: a step rule over any method's gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.base import LossGuidance
from dsg.guidance.dps import DPS
from dsg.guidance.window import Windowed
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import State, direction, expand_to, per_sample_norm
from tasks.base import Task

Radius = Literal["fixed", "chi", "free"]


@dataclass(frozen=True)
class DSG(Windowed, LossGuidance):
    """Yang et al. 2024 (2402.03201), algorithm 1: the step keeps the norm that noise would have, and leans towards −g:

        r = √n σ,   d* = −r g/‖g‖,   d = σz + w (d* − σz),   x_prev = μ + r d/‖d‖

    w = 1 is the closed-form minimiser of ⟨g, x' − x_t⟩ on the sphere ‖x' − μ‖ = r (eq. 11); only the direction of g
    matters, so that over DPS, FreeDoM without time travel and UGD's forward guidance it is one method. Steps without
    noise (the last one) and samples whose gradient vanishes take the ordinary step. A base's own window holds besides,
    and so does its time travel.

    Noise in a direction that g does not touch is shortened by that: of its power each guided step keeps
    (1−w)²/((1−w)²+w²) (`benchmarks.dsg_radius`). With radius `free` it is left alone,

        x_prev = μ + σz − w/(1−w) r g/‖g‖

    which leans as far, is longer than r by √(1 + (w/(1−w))²), and is not the paper's.

    Args:
        base: the method whose gradient is followed; its own update is not used.
        guidance_rate: w in [0, 1]; 0 is the unguided sampler.
        interval: guide the steps whose index (0 is the last step) is divisible by this; at least 1.
        final_rate: the rate at the last step, in [0, 1]; it is reached linearly. None keeps `guidance_rate`.
        radius: `fixed` is √n σ, the paper's; `chi` is the norm ‖σz‖ of the step's own noise, a χ(n) draw times σ
            (2606.28417); `free` keeps to no sphere, and needs rates below 1.
        start, stop, t_low: the window of guided steps (`dsg.guidance.window.Windowed`).
        stated_for: the number of steps that the window and the rates are stated for; null is the trajectory's own. In N
            steps w/(1−w) is multiplied by √(stated_for/N), as σ shrinks by √N and there are N pulls to add up. It keeps
            the spread of the samples; a rate that was tuned by PSNR does not follow it (docs/variants.md).

    Raises:
        UserError: for values outside these ranges, or a kernel without noise (DDIM with eta 0, Heun).
    """

    base: LossGuidance = field(default_factory=DPS)
    guidance_rate: float = 0.1
    interval: int = 1
    final_rate: float | None = None
    radius: Radius = "fixed"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.radius not in get_args(Radius):
            raise UserError(f"radius: DSG's must be {', '.join(get_args(Radius))}, got {self.radius!r}")
        for name, rate in (("guidance_rate", self.guidance_rate), ("final_rate", self.final_rate)):
            if rate is not None and not 0.0 <= rate <= 1.0:
                raise UserError(f"{name}: DSG's rate must be in [0, 1], got {rate}")
            if rate == 1.0 and self.radius == "free":
                raise UserError(f"{name}: with radius free the step is w/(1−w) long, so that w must be below 1, got 1")
        if self.interval < 1:
            raise UserError(f"interval: must be at least 1 (1 guides every step), got {self.interval}")

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
                "one with noise, as DDIM with model.kernel.eta above 0 (the paper uses 1): each image draws its noise "
                "from a stream of its own, so that the sample is a function of seed and image all the same"
            )

    def is_guided(self, step: Step) -> bool:
        has_noise = step.index > 0
        windows = self.in_window(step) and self.base.in_window(step)
        return self.rate(step) > 0.0 and has_noise and windows and step.index % self.interval == 0

    def rate(self, step: Step) -> float:
        """w at this step: from `guidance_rate` at the first to `final_rate` at the last, linear in the position."""
        rate = self.guidance_rate
        if self.final_rate is not None:
            share = step.position / max(step.total - 1, 1)
            rate = (1.0 - share) * rate + share * self.final_rate
        if self.stated_for is None:
            return rate
        pull = rate * math.sqrt(self.stated_for / step.total)
        return pull / (pull + (1.0 - rate))

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        return self.base.gradient(x_t, step, process)

    def repeats(self, step: Step) -> int:
        return self.base.repeats(step)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        random, rate = guided.transition.std * guided.noise, self.rate(guided.step)
        norm = per_sample_norm(random) if self.radius == "chi" else guided.transition.radius()
        radius = expand_to(norm, guided.x_t)
        towards = -radius * direction(guided.gradient)
        if self.radius == "free":
            return guided.unguided + rate / (1.0 - rate) * towards
        return self._on_sphere(random + rate * (towards - random), radius, guided)

    def _on_sphere(self, mixed: State, radius: Tensor, guided: GuidedStep) -> State:
        """μ + r d/‖d‖; the ordinary step of samples that have no direction to go in. A gradient that is no number has
        none either, but is no 0: it stays in the sample, where it is found.
        """
        constrained = guided.transition.mean + radius * direction(mixed)
        no_gradient = guided.gradient.flatten(1).abs().amax(dim=1) == 0  # a norm is 0 long before, as squares underflow
        undefined = no_gradient | (per_sample_norm(mixed) == 0)
        return torch.where(expand_to(undefined, guided.x_t), guided.unguided, constrained)
