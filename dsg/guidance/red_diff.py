"""Regularisation by denoising diffusion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.data_term import data_term
from dsg.guidance.linear import linear_operator, require_linear
from dsg.guidance.red_diff_weighting import WEIGHTINGS, Weighting, pull_of
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State, expand_to
from tasks.base import InverseProblem, Task


@dataclass(frozen=True)
class REDDiff(Guidance):
    """RED-diff, Mardani et al. 2024 (2305.04391), algorithm 1: no reverse chain, one picture m that Adam optimises
    while t descends,

        ½ L(m, y)² + λ_t ⟨stopgrad(ε_θ(√ā m + √(1−ā) z, t) − z), m⟩,   λ_t = λ √(1−ā)/√ā

    whose second gradient is λ (m − x̂(x_t)), at every level. L² = ‖y − A m‖² for a linear task; any task will do. x_T is
    not used; no backward pass through the network. The kernel is not asked. A record's `x_t` is the noised m, its
    `x_prev` the next m.

    The published code: `average: mean`, regularisation 0.25, `start: pseudo_inverse`. σ_y is in neither. InverseBench's
    takes the gradient of L² without the ½ and the weighting linear: half its base_lambda is λ here.

    Args:
        regularisation: λ ≥ 0; the larger, the more the network is believed.
        learning_rate: Adam's, above 0: about how far m moves in a step, so that steps·learning_rate has to exceed 1.
        weighting: of λ_t: `linear`, above, is the paper's choice; the code's others are in `pull_of`.
        average: `sum`, above, is the paper's. `mean` divides the first term by the m numbers of y and the second by the
            n of the image, as the code does: y counts n/m times as much.
        start: m begins at `zero`, or at A⁺y, `pseudo_inverse`, as in the code; that is for linear tasks.
        dispersion: σ ≥ 0 of the variational Gaussian around m: both terms are taken at m + σ z'. 0 is the paper's; the
            code has it as sigma_x0.
        betas: Adam's, each in [0, 1); (0.9, 0.99) is the paper's and the code's.
        adam_epsilon: Adam's ε > 0, which it adds to the root of the second moment.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that is not linear with
            `pseudo_inverse`, or has no y to count with `mean`.
    """

    regularisation: float = 0.1
    learning_rate: float = 0.1
    weighting: Weighting = "linear"
    average: Literal["sum", "mean"] = "sum"
    start: Literal["zero", "pseudo_inverse"] = "zero"
    dispersion: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)
    adam_epsilon: float = 1e-8

    asks_kernel = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.regularisation < math.inf:
            raise UserError(f"regularisation: RED-diff's λ must be at least 0, got {self.regularisation}")
        for name, value in (("learning_rate", self.learning_rate), ("adam_epsilon", self.adam_epsilon)):
            if not 0.0 < value < math.inf:
                raise UserError(f"{name}: RED-diff's must be above 0, got {value}")
        choices = {"weighting": WEIGHTINGS, "average": ("sum", "mean"), "start": ("zero", "pseudo_inverse")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise UserError(f"{name}: RED-diff's must be {' or '.join(allowed)}, got {getattr(self, name)!r}")
        if not 0.0 <= self.dispersion < math.inf:
            raise UserError(f"dispersion: RED-diff's must be at least 0, got {self.dispersion}")
        if len(self.betas) != 2 or not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise UserError(f"betas: RED-diff's must be two numbers in [0, 1), got {self.betas}")

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.weighting == "square"

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        if self.start == "pseudo_inverse":
            require_linear("RED-diff with start pseudo_inverse", task, score_model)
        if self.average == "mean" and not isinstance(task, InverseProblem):
            raise UserError(
                f"average: RED-diff's mean is over the numbers of y, and {type(task).__name__} has none; set it to sum"
            )

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        raise TypeError("RED-diff has no reverse step of its own; call `sample`")

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        return self.optimise(self._begin(x_T, process), process)

    def optimise(self, m: State, process: ReverseProcess) -> Iterator[StepRecord]:
        """A record a step of Adam, from the picture `m`, (B, *shape)."""
        first, second = torch.zeros_like(m), torch.zeros_like(m)
        slow, fast = self.betas[1], self.betas[0]
        of_y, of_image = self._shares(m, process)
        for count, step in enumerate(process.steps, start=1):
            around = m + self.dispersion * process.noise(m, Purpose.MONTE_CARLO) if self.dispersion else m
            z = process.noise(m)
            x_t = step.signal * around + step.noise * z
            prediction = process.predict(x_t, step)
            loss, data = data_term(around, process)
            pull = self.regularisation * pull_of(self.weighting, step.sigma)
            total = of_y * data + of_image * pull * (around - prediction.clean_estimate)
            first = fast * first + (1.0 - fast) * total
            second = slow * second + (1.0 - slow) * total**2
            unbiased = (second / (1.0 - slow**count)).sqrt() + self.adam_epsilon
            updated = m - self.learning_rate * first / (1.0 - fast**count) / unbiased
            yield StepRecord(step, x_t, updated, prediction, Transition(m, 0.0), loss, data, "squared_loss")
            m = updated

    def _begin(self, x_T: State, process: ReverseProcess) -> State:
        if self.start == "zero":
            return torch.zeros_like(x_T)
        return linear_operator(process).pseudo_inverse(process.measurement.y).to(x_T)

    def _shares(self, m: State, process: ReverseProcess) -> tuple[Tensor | float, float]:
        """What the gradients of both terms are multiplied by: 1/m of each sample, and 1/n, or 1."""
        if self.average == "sum":
            return 1.0, 1.0
        assert isinstance(process.task, InverseProblem), "checked before the first sample"
        numbers = process.task.noisy_numbers(process.measurement)
        return 1.0 / expand_to(numbers.clamp(min=1), m).to(m), 1.0 / m[0].numel()
