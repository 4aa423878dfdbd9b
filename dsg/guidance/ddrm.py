"""Denoising diffusion restoration models."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.linear import noise_sigma, require_linear, spectral_operator
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


@dataclass(frozen=True)
class DDRM(Guidance):
    """Kawar et al. 2022 (2201.11793), eqs. 7 and 8: a step for every singular direction of A apart.

    On x/√ā, where the noise is τ = √(1−ā_prev)/√ā_prev, let c be a coefficient of V, ĉ that of x̂, b that of A⁺y with
    noise σ_y/s, and ε that of the network's ε:

        s = 0:        c = ĉ + τ (√(1−η²) ε + η z)
        τ < σ_y/s:    c = ĉ + τ (√(1−η²) (b − ĉ) s/σ_y + η z)
        τ ≥ σ_y/s:    c = (1−η_b) ĉ + η_b b + √(τ² − η_b² σ_y²/s²) z

    and x_prev = √ā_prev V c. No backward pass; the kernel is not asked. The paper begins around y, at the noise τ_T of
    the first level,

        τ_T > σ_y/s:  c = b + √(τ_T² − σ_y²/s²) z,   otherwise:  c = τ_T z,   x_T = √ā_T V c

    which differs little from noise alone where ā_T is near 0, and much where a trajectory begins half-way.

    Args:
        eta: η in [0, 1].
        eta_b: η_b in [0, 1]; 0 does not look at y until τ < σ_y/s.
        start: `noise` begins at the sampler's x_T, `measurement` around y as in the paper, and `measurement_code` as in
            the authors' code, which divides by τ_T instead of √(1+τ_T²). z is x_T in both.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task without singular values or
            Gaussian noise.
    """

    eta: float = 0.85
    eta_b: float = 1.0
    start: Literal["noise", "measurement", "measurement_code"] = "noise"

    asks_kernel = False

    def __post_init__(self) -> None:
        for name, value in (("eta", self.eta), ("eta_b", self.eta_b)):
            if not 0.0 <= value <= 1.0:
                raise UserError(f"{name}: DDRM's must be in [0, 1], got {value}")
        if self.start not in ("noise", "measurement", "measurement_code"):
            raise UserError(f"start: DDRM's must be noise, measurement or measurement_code, got {self.start!r}")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear("DDRM", task, score_model, spectral=True)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        operator, y = spectral_operator(process), process.measurement.y
        tau = step.prev.sigma
        prediction, z = process.predict(x_t, step), process.noise(x_t)
        free = self._free(prediction, step)
        inverse = operator.inverse_singular_values(y)
        noise = noise_sigma(process) * inverse  # σ_y/s
        estimate, measured = operator.v_adjoint(prediction.clean_estimate), inverse * operator.u_adjoint(y)
        normal, keep = operator.v_adjoint(z), math.sqrt(1.0 - self.eta**2)
        towards = (measured - estimate) / torch.where(noise > 0, noise, 1)
        weak = estimate + tau * (keep * towards + self.eta * normal)
        rest = (tau**2 - (self.eta_b * noise) ** 2).clamp(min=0).sqrt()
        strong = (1.0 - self.eta_b) * estimate + self.eta_b * measured + rest * normal
        seen = step.prev.signal * torch.where(noise > tau, weak, strong)
        unseen = free.sample(z)
        change = torch.where(inverse > 0, seen - operator.v_adjoint(unseen), 0)
        return StepRecord(step, x_t, unseen + operator.v(change), prediction, free)

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        return super().sample(self.begin(x_T, process.steps[0], process), process)

    def begin(self, x_T: State, level: NoiseLevel, process: ReverseProcess) -> State:
        """The first state, (B, *shape), from the noise `x_T` and its level."""
        if self.start == "noise":
            return x_T
        operator, y = spectral_operator(process), process.measurement.y
        inverse, normal = operator.inverse_singular_values(y), operator.v_adjoint(x_T)
        ratio = level.signal / level.noise  # 1/τ_T, which is 0 for noise alone
        share = ratio * noise_sigma(process) * inverse
        around = ratio * inverse * operator.u_adjoint(y) + (1.0 - share**2).clamp(min=0).sqrt() * normal
        seen = (inverse > 0) & (share < 1.0)
        state = x_T + operator.v(torch.where(seen, around - normal, 0))
        return state if self.start == "measurement_code" else level.noise * state

    def _free(self, prediction: Prediction, step: Step) -> Transition:
        """The step where s = 0, which is also the unguided one."""
        noise = step.prev.noise
        kept = noise * math.sqrt(1.0 - self.eta**2) * prediction.epsilon
        return Transition(step.prev.signal * prediction.clean_estimate + kept, noise * self.eta)
