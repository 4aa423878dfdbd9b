"""Discriminator guidance as a loss guidance, so that DSG's step goes over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from dsg.combiners.discriminator import check_fits
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.guidance.noisy_gradient import NoisyGradient
from dsg.models.base import ScoreModel
from dsg.models.discriminator import Discriminator
from dsg.process import ReverseProcess
from dsg.process.trace import GradientKind
from dsg.types import PerSample, State
from tasks.base import Task


@dataclass(frozen=True)
class DiscriminatorGradient(NoisyGradient):
    """Kim et al. 2023 (2211.17091), on the mean of a step instead of on ε:

        x_prev = μ + σ z + w σ² ∇_{x_t} log d(x_t, t)/(1 − d(x_t, t))

    on top of the score model under its combiner. The combiner `DiscriminatorGuidance` changes ε instead, for kernels
    without noise too; this form has a gradient for DSG to take: `DSG` with this `base`.

    Args:
        discriminator: d(x_t, t) of noisy states, at the score model's noise levels.
        weight: w ≥ 0; 0 is the sampler alone.

    Raises:
        UserError: for a negative w, a discriminator that does not fit the score model, or a kernel without noise.
    """

    discriminator: Discriminator
    weight: float = 1.0

    kind: ClassVar[GradientKind] = "discriminator"
    combiner: ClassVar[str] = "DiscriminatorGuidance"

    @property
    def needs_condition(self) -> bool:  # type: ignore[override]
        return self.discriminator.num_classes is not None

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        super().check(kernel, task, score_model)
        check_fits(self.discriminator, score_model, "guidance.discriminator")

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.discriminator,)

    def value(self, x_t: State, step: Step, process: ReverseProcess) -> PerSample:
        return self.discriminator.logit(x_t, step, process.condition)
