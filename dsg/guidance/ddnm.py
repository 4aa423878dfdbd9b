"""Denoising diffusion null-space model."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import PredictionGuidance
from dsg.guidance.ddnm_noise import RENOISING, SPECTRAL, WAYS, Parts, Way
from dsg.guidance.linear import linear_operator, noise_sigma, require_linear
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


@dataclass(frozen=True)
class DDNM(PredictionGuidance):
    """Wang et al. 2023 (2212.00490): the clean estimate is given the measurement's range-space content, without a
    backward pass, and the kernel takes its step from there:

        x̂ ← x̂ − A⁺ (A x̂ − y)

    With measurement noise, DDNM+: along a singular direction of A with value s, where the kernel's mean moves by a x̂
    and its standard deviation is σ, the correction brings a σ_y/s of noise with it. It is scaled down by λ, and less
    noise is added, so that the sum has the variance σ² that the network expects:

        x̂ ← x̂ − V diag(λ) Vᵀ A⁺ (A x̂ − y),   x_prev = μ(x̂) + V diag(√γ) Vᵀ z
        λ = min(1, σ s/(a σ_y)),   γ = σ² − (a λ σ_y/s)²;   λ = 1 and γ = σ² where s = 0

    The paper's kernel is DDPM, which has no ε; its code steps by `Renoise` and keeps the network's.

    Args:
        keep_epsilon: give kernels that renoise (DDIM, Renoise) the network's own ε, as the published code does;
            otherwise the ε that belongs to the corrected x̂, which for DDIM at eta 1 is DDPM's step. Kernels that read
            x̂ and ε as one get the latter anyway.
        cutoff: in [0, 1): DDNM+ takes singular values up to this share of the largest for 0, as the published code does
            in its blurs (0.03); the measurement's noise is the same at every step, and along small ones it would add
            up. Without it the method fails there.
        noisy: how DDNM+ hides the measurement's noise (see dsg/guidance/ddnm_noise.py). `spectral` is the paper's,
            above; `simplified` the paper's section 3.3, the λ and γ of s = 1 for the whole image, which needs no
            singular values and suits A whose are all 1; `spectral_code` the authors' SVD code, `simplified_code` their
            simplified one, also where σ_y is 0, and `simplified_inversebench` InverseBench's (with keep_epsilon false),
            all under Renoise.

    Raises:
        UserError: for another way or a cutoff outside its range, and for an authors' way that is not to keep ε; before
            the first sample, for a task that is not linear with Gaussian noise; with σ_y > 0, for a spectral way
            without singular values, for a kernel without noise, with a learned variance or of several evaluations a
            step, and for a code's way under one that does not renoise.
    """

    keep_epsilon: bool = True
    cutoff: float = 0.03
    noisy: Way = "spectral"

    def __post_init__(self) -> None:
        if not 0.0 <= self.cutoff < 1.0:
            raise UserError(f"cutoff: DDNM's must be in [0, 1), got {self.cutoff}")
        if self.noisy not in WAYS:
            raise UserError(f"noisy: DDNM's must be one of {', '.join(WAYS)}, got {self.noisy!r}")
        if self.noisy in ("spectral_code", "simplified_code") and not self.keep_epsilon:
            raise UserError(f"keep_epsilon: DDNM+ with noisy {self.noisy} keeps the network's ε; set it to true")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        if require_linear("DDNM", task, score_model) == 0.0 and self.noisy != "simplified_code":
            return
        require_linear("DDNM+ (σ_y > 0)", task, score_model, spectral=self.noisy in SPECTRAL)
        if not kernel.is_stochastic:
            raise UserError(
                f"DDNM+ (σ_y > 0) hides measurement noise in the kernel's, and {kernel} has none; set model.kernel to "
                "DDPM, or to DDIM with model.kernel.eta above 0"
            )
        if kernel.reads_variance:
            raise UserError("DDNM+ (σ_y > 0) needs one σ a step, not learned_range; set kernel.variance fixed_small")
        if kernel.evaluations > 1:
            raise UserError("DDNM+ (σ_y > 0) needs a kernel of one evaluation a step; set model.kernel to DDIM or DDPM")
        if self.noisy in RENOISING and not kernel.renoises:
            raise UserError(
                f"DDNM+ with noisy {self.noisy} is a step of x̂ and ε, and {kernel} has none; set model.kernel to "
                "Renoise or DDIM, or noisy to spectral"
            )

    def guide(self, prediction: Prediction, x_t: State, step: Step, process: ReverseProcess) -> Prediction:
        """Without measurement noise."""
        operator, estimate = linear_operator(process), prediction.clean_estimate
        correction = operator.pseudo_inverse(operator.forward(estimate) - process.measurement.y)
        return process.with_estimate(prediction, estimate - correction, step, self.keep_epsilon)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        sigma_y = noise_sigma(process)
        if sigma_y == 0.0 and self.noisy != "simplified_code":
            return super().step(x_t, step, process)
        return self._noisy(x_t, step, process, sigma_y)

    def _noisy(self, x_t: State, step: Step, process: ReverseProcess, sigma_y: float) -> StepRecord:
        """DDNM+."""
        operator, y, z = linear_operator(process), process.measurement.y, process.noise(x_t)
        prediction = process.predict(x_t, step)
        unguided = process.transition(x_t, prediction, step)
        std = unguided.std
        assert isinstance(std, float), "checked before the first sample"

        def mean(estimate: State) -> State:
            guided = process.with_estimate(prediction, estimate, step, self.keep_epsilon)
            return process.transition(x_t, guided, step).mean

        response = self._response(step, process)
        parts = Parts(step, operator, y, sigma_y, prediction, z, std, response, mean, self.cutoff)
        return StepRecord(step, x_t, WAYS[self.noisy](parts), prediction, unguided)

    def _response(self, step: Step, process: ReverseProcess) -> float:
        """a: how far the kernel's mean moves when x̂ moves by one and x_t stays; a number, on the CPU."""
        zero, one = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
        moved = process.with_estimate(Prediction(zero, zero), one, step, self.keep_epsilon)
        return process.transition(zero, moved, step).mean.item()
