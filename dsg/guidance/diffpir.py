"""Plug-and-play image restoration with a diffusion denoiser."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.linear import linear_operator, noise_sigma, require_linear
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


@dataclass(frozen=True)
class DiffPIR(Guidance):
    """Zhu et al. 2023 (2305.08995), algorithm 1: a data step on the clean estimate, then its own re-noising.

        x̂ ← argmin_u ‖y − A u‖² + ρ ‖u − x̂‖²,   ρ = λ σ_y² ā/(1−ā)
        ε̂ = (x_t − √ā x̂)/√(1−ā)
        x_prev = √ā_prev x̂ + √(1−ā_prev) (√(1−ζ) ε̂ + √ζ z)

    No backward pass, and the reverse kernel is not asked. For σ_y = 0, ρ = 0: x̂ ← x̂ − A⁺(A x̂ − y).

    Args:
        regularisation: λ > 0; the larger, the more the network is believed.
        stochasticity: ζ in [0, 1]: 0 keeps the noise that is in x_t, 1 draws it afresh.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that is not linear or not
            Gaussian.
    """

    regularisation: float = 3.0
    stochasticity: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.regularisation < math.inf:
            raise UserError(f"regularisation: DiffPIR's λ must be above 0, got {self.regularisation}")
        if not 0.0 <= self.stochasticity <= 1.0:
            raise UserError(f"stochasticity: DiffPIR's ζ must be in [0, 1], got {self.stochasticity}")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear("DiffPIR", task, score_model)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        prediction = process.predict(x_t, step)
        rho = self.regularisation * noise_sigma(process) ** 2 * step.alpha_bar / step.noise_variance
        estimate = linear_operator(process).proximal(prediction.clean_estimate, process.measurement.y, rho)
        x_prev = self._renoise(Prediction.from_clean(estimate, x_t, step), step).sample(process.noise(x_t))
        return StepRecord(step, x_t, x_prev, prediction, self._renoise(prediction, step))

    def _renoise(self, prediction: Prediction, step: Step) -> Transition:
        std = step.prev.noise * math.sqrt(self.stochasticity)
        kept = step.prev.noise * math.sqrt(1.0 - self.stochasticity)
        return Transition(step.prev.signal * prediction.clean_estimate + kept * prediction.epsilon, std)
