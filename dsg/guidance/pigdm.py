"""Pseudo-inverse guidance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import EstimateGuidance, LossGuidance
from dsg.guidance.linear import linear_operator, noise_sigma, require_linear
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import PerSample, State
from tasks.base import Task


@dataclass(frozen=True)
class PiGDM(EstimateGuidance):
    """ΠGDM, Song et al. 2023 (ICLR, "Pseudoinverse-guided diffusion models for inverse problems"), algorithm 1.

    With x_0 | x_t ≈ N(x̂, r² I), r² = 1−ā, the likelihood's score is a vector–Jacobian product, J = ∂x̂/∂x_t:

        ∇_{x_t} log p(y | x_t) ≈ Jᵀ v,   v = Aᵀ (r² A Aᵀ + σ_y² I)⁻¹ (y − A x̂)

    which is exact for data N(0, I). `update_rule` says what becomes of it, w being `weight`:

    - `published`: x_prev = μ + σ z + w √ā r² Jᵀ v, the paper's step; for σ_y = 0, r² Aᵀ(r² A Aᵀ)⁻¹ = A⁺.
    - `score`: w Jᵀ v is added to the model's score, that is x̂ ← x̂ + w (1−ā)/√ā Jᵀ v and ε ← ε − w √(1−ā) Jᵀ v before
      the kernel. With many steps it samples the exact posterior where Jᵀ v is exact.
    - `estimate`: x̂ ← x̂ + w √ā r² Jᵀ v before the kernel, and ε stays where the kernel reads it apart; the paper's step
      times √ā_prev. What codes do: that of RED-diff's authors (for σ_y = 0, their `awd`), and InverseBench's, whose
      weight on x/√ā is Aᵀ (A Aᵀ + σ_y²/r² I)⁻¹, under the kernel Renoise.
    - `consistent_estimate`: the same, and ε moves with x̂ (RED-diff's authors with `awd` off).

    The RED-diff authors' `mcg` is `published`.

    DSG over this method follows its gradient, −Jᵀ v.

    Args:
        update_rule: `published`, `score`, `estimate` or `consistent_estimate`.
        weight: w ≥ 0; 1 is the paper's (`grad_term_weight` of the RED-diff authors' code).

    Raises:
        UserError: for another rule or a weight below 0; before the first sample, for a task that is not linear or not
            Gaussian.
    """

    update_rule: Literal["published", "score", "estimate", "consistent_estimate"] = "published"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.update_rule not in ("published", "score", "estimate", "consistent_estimate"):
            raise UserError(
                "update_rule: PiGDM's must be published, score, estimate or consistent_estimate, got "
                f"{self.update_rule!r}"
            )
        if not 0.0 <= self.weight < math.inf:
            raise UserError(f"weight: PiGDM's must be at least 0, got {self.weight}")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear("PiGDM", task, score_model)

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.update_rule == "score"  # ε moves x̂ by √((1−ā)/ā)

    def is_guided(self, step: Step) -> bool:
        return self.weight > 0.0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """The task's loss at x̂, and −Jᵀ v by one backward pass of −⟨v, x̂⟩ with v held fixed."""
        operator, variance = linear_operator(process), noise_sigma(process) ** 2

        def minus_inner_product(clean_estimate: State) -> PerSample:
            fixed = clean_estimate.detach()
            v = operator.gain(process.measurement.y - operator.forward(fixed), step.noise_variance, variance)
            return -(v * clean_estimate).flatten(1).sum(dim=1)

        guide = process.loss_gradient(x_t, step, minus_inner_product, kind="likelihood")
        return replace(guide, loss=process.loss(guide.prediction.clean_estimate))

    def guided_step(
        self, guide: LossGradient, x_t: State, step: Step, process: ReverseProcess, noise: State
    ) -> tuple[State, Transition]:
        rule = LossGuidance if self.update_rule == "published" else EstimateGuidance
        return rule.guided_step(self, guide, x_t, step, process, noise)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        return guided.unguided - self.weight * guided.step.signal * guided.step.noise_variance * guided.gradient

    def moved(self, guide: LossGradient, step: Step, process: ReverseProcess) -> Prediction:
        if self.update_rule == "score":
            return guide.prediction.shifted(self.weight * step.noise * guide.gradient, step)
        correction = self.weight * step.signal * step.noise_variance * guide.gradient
        kept = self.update_rule == "estimate"
        return process.with_estimate(guide.prediction, guide.prediction.clean_estimate - correction, step, kept)
