"""Diffusion posterior sampling."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.base import LossGuidance
from dsg.process import GuidedStep, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class DPS(LossGuidance):
    """Chung et al. 2023 (2209.14687), algorithm 1, in the form of their code:

        x_prev = μ + σ z − ζ ∇_{x_t} ‖y − A x̂(x_t)‖₂

    The norm is each sample's own and not squared; the paper's ζ'/‖r‖ ∇‖r‖² is the same step with ζ = 2ζ'.

    Args:
        step_size: ζ ≥ 0; 0 is the unguided sampler.
    """

    step_size: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.step_size < float("inf"):
            raise UserError(f"step_size: DPS's ζ must be at least 0, got {self.step_size}")

    def is_guided(self, step: Step) -> bool:
        return self.step_size > 0.0

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        return guided.unguided - self.step_size * guided.gradient
