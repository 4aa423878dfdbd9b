"""Regularisation by denoising diffusion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dsg.diffusion.kernels import Transition
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.data_term import data_term
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State

BETAS = (0.9, 0.99)
FLOOR = 1e-8


@dataclass(frozen=True)
class REDDiff(Guidance):
    """RED-diff, Mardani et al. 2024 (2305.04391), algorithm 1: no reverse chain, one picture m that Adam (.9, .99)
    optimises while t descends,

        ½ L(m, y)² + λ_t ⟨stopgrad(ε_θ(√ā m + √(1−ā) z, t) − z), m⟩,   λ_t = λ √(1−ā)/√ā

    whose second gradient is λ (m − x̂(x_t)), at every level. L² = ‖y − A m‖² for a linear task; any task will do. m
    starts at 0, and x_T is not used; no backward pass through the network. The kernel is not asked. A record's `x_t` is
    the noised m, its `x_prev` the next m.

    Args:
        regularisation: λ ≥ 0; the larger, the more the network is believed.
        learning_rate: Adam's, above 0: about how far m moves in a step, so that steps·learning_rate has to exceed 1.

    Raises:
        UserError: for values outside these ranges.
    """

    regularisation: float = 0.1
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.regularisation < math.inf:
            raise UserError(f"regularisation: RED-diff's λ must be at least 0, got {self.regularisation}")
        if not 0.0 < self.learning_rate < math.inf:
            raise UserError(f"learning_rate: RED-diff's must be above 0, got {self.learning_rate}")

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        raise TypeError("RED-diff has no reverse step of its own; call `sample`")

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        m, first, second = (torch.zeros_like(x_T) for _ in range(3))
        for count, step in enumerate(process.steps, start=1):
            z = process.noise(m)
            x_t = step.signal * m + step.noise * z
            prediction = process.predict(x_t, step)
            loss, data = data_term(m, process)
            total = data + self.regularisation * (m - prediction.clean_estimate)
            first = BETAS[0] * first + (1.0 - BETAS[0]) * total
            second = BETAS[1] * second + (1.0 - BETAS[1]) * total**2
            unbiased = (second / (1.0 - BETAS[1] ** count)).sqrt() + FLOOR
            updated = m - self.learning_rate * first / (1.0 - BETAS[0] ** count) / unbiased
            yield StepRecord(step, x_t, updated, prediction, Transition(m, 0.0), loss, data, "squared_loss")
            m = updated
