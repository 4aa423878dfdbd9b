"""Decomposed diffusion sampling: a few conjugate gradients on the clean estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import PredictionGuidance
from dsg.guidance.linear import linear_operator, require_linear
from dsg.guidance.window import check_at_least
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.types import State
from tasks.base import Task
from tasks.operators.conjugate_gradient import conjugate_gradients


@dataclass(frozen=True)
class DDS(PredictionGuidance):
    """Chung, Lee & Ye 2024 (2303.05754), algorithms 1 and 2: M conjugate gradients from the clean estimate,

        x̂ ← CG_M(AᵀA, Aᵀy; x̂)                      weight null: y as it is
        x̂ ← CG_M(γ AᵀA + I, x̂ + γ Aᵀy; x̂)          the proximal point of γ/2 ‖y − A x‖²

    and the kernel takes its step from there with the network's ε. No backward pass and no singular values: any linear A
    that has an adjoint, as physics of deepinv. M iterations move x̂ by a polynomial of degree M − 1 in AᵀA times
    Aᵀ(y − A x̂), so that small singular values are hardly touched; a mask is met by one.

    The paper's kernel is DDIM, with η = 0.85 (MRI, one coil), 0.8 (several) or 0.15 (CT), M = 5, and γ = 5 where y is
    noisy; its code's is Renoise, with γ = 1 by default. DiffPIR takes the same point to the end, with a weight that
    follows ā and its own re-noising.

    Args:
        iterations: M ≥ 0, one A and one Aᵀ each; 0 is the unguided sampler.
        weight: γ > 0, or null: y has no noise, or the few iterations are to keep it out.
        keep_epsilon: give kernels that renoise the network's own ε, as the paper does; otherwise the ε that belongs to
            the new x̂.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that is not linear with
            Gaussian noise.
    """

    iterations: int = 5
    weight: float | None = 5.0
    keep_epsilon: bool = True

    def __post_init__(self) -> None:
        check_at_least(self.iterations, 0, "iterations")
        if self.weight is not None and not 0.0 < self.weight < math.inf:
            raise UserError(f"weight: DDS's γ must be above 0, or null, got {self.weight}")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear("DDS", task, score_model)

    def guide(self, prediction: Prediction, x_t: State, step: Step, process: ReverseProcess) -> Prediction:
        if self.iterations == 0:
            return prediction
        operator, estimate = linear_operator(process), prediction.clean_estimate
        # by what it moves: (AᵀA + I/γ) δ = Aᵀ(y − A x̂), from δ = 0
        moved = conjugate_gradients(
            operator.forward,
            operator.adjoint,
            y=process.measurement.y - operator.forward(estimate),
            shift=0.0 if self.weight is None else 1.0 / self.weight,
            max_iterations=self.iterations,
            ends_early=False,
        )
        return process.with_estimate(prediction, estimate + moved, step, self.keep_epsilon)
