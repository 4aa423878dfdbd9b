"""Bias-optimal DDNM."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import PredictionGuidance
from dsg.guidance.linear import noise_sigma, require_linear, spectral_operator
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.types import State
from tasks.base import Task


@dataclass(frozen=True)
class BODDNM(PredictionGuidance):
    """2410.13746: the score in A's range is that of the measurement itself, and the network's is used elsewhere.

        s ← (I − A⁺A) s + f,   f = (ā σ_y² A⁺A⁺ᵀ + (1−ā) I)⁻¹ (√ā A⁺ y − A⁺A x_t)
                                 = Aᵀ ((1−ā) A Aᵀ + ā σ_y² I)⁻¹ (√ā y − A x_t)
        x̂ = (x_t + (1−ā) s)/√ā

    f is the score of N(√ā A⁺y, ā σ_y² A⁺A⁺ᵀ + (1−ā) I). No backward pass. For σ_y = 0 it is DDNM. The kernel steps from
    the x̂ and ε that belong to the new score.

    In A's range the network is not asked, so noise of σ_y/s stays in the sample along a direction of singular value s:
    those below the cutoff, as a blur has many, are left to the network.

    Args:
        cutoff: singular values up to this share of the largest count as zero, in A⁺ and in f; in [1e-6, 1).

    Raises:
        UserError: for a cutoff outside this range; before the first sample, for a task without singular values or
            Gaussian noise.
    """

    cutoff: float = 0.1

    def __post_init__(self) -> None:
        if not 1e-6 <= self.cutoff < 1.0:
            raise UserError(f"cutoff: BODDNM's must be in [1e-6, 1), got {self.cutoff}")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear("BODDNM", task, score_model, spectral=True)

    def guide(self, prediction: Prediction, x_t: State, step: Step, process: ReverseProcess) -> Prediction:
        operator, y = spectral_operator(process), process.measurement.y
        s = operator.singular_values(y)
        kept = s > self.cutoff * operator.largest(s)
        sigma2, variance = noise_sigma(process) ** 2, step.noise_variance
        denominator = torch.where(kept, variance * s**2 + step.alpha_bar * sigma2, 1)
        residual = operator.u_adjoint(y - operator.forward(prediction.clean_estimate))
        noise = operator.v_adjoint((x_t - step.signal * prediction.clean_estimate) / step.noise)
        # (1−ā)/√ā (f − A⁺A s) of the docstring, in both halves of x_t, so that nothing is divided by √ā
        change = (variance * s * residual + step.signal * step.noise * sigma2 * noise) / denominator
        estimate = prediction.clean_estimate + operator.v(torch.where(kept, change, 0))
        return process.with_estimate(prediction, estimate, step)
