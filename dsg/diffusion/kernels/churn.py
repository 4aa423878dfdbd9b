"""Noise that is put on a state before its step: the sampler goes up a little, and down from there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dsg.diffusion.kernels.base import Predict, ReverseKernel, Transition
from dsg.diffusion.kernels.heun import Heun
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import ROUNDING, Schedule
from dsg.errors import UserError
from dsg.types import State


@dataclass(frozen=True)
class Churn(ReverseKernel):
    """Karras et al. 2022 (2206.00364), algorithm 2, around any kernel; around Heun it is theirs. With x̃ = x/√ā,
    σ = √((1−ā)/ā) and N steps in all,

        γ = min(S_churn/N, √2 − 1) where S_min ≤ σ ≤ S_max, else 0;   σ̂ = (1 + γ) σ
        x̃ ← x̃ + √(σ̂² − σ²) S_noise z

    and the kernel steps from σ̂: prediction, loss and gradient are all taken there. What is stochastic here is where a
    step begins; its transition is the kernel's own, so that DSG's sphere is too. Around DDIM with η = 0 it is churned
    Euler. Methods that do not ask the kernel are as without it.

    Defaults are those that the paper found for ImageNet-64 (table 5), with 256 steps of Heun.

    Args:
        kernel: what steps from the raised level.
        churn: S_churn ≥ 0; 0 does not churn.
        sigma_min: S_min ≥ 0, the least σ that is raised.
        sigma_max: S_max, the largest; .inf has no bound. A model's noisiest level can only be raised where its schedule
            goes further than the first step.
        noise_scale: S_noise > 0; above 1 it makes up for detail that networks take away, and the samples of an exact
            score are no longer exact.
        rounds: take the level of the schedule's table that is nearest to σ̂, as their code does for networks that know
            whole timesteps alone (iDDPM); its noisiest level is then not raised. Continuous schedules have every level.

    Raises:
        UserError: for values outside these ranges; before the first sample, where σ̂ is beyond the model's schedule.
    """

    kernel: ReverseKernel = field(default_factory=Heun)
    churn: float = 40.0
    sigma_min: float = 0.05
    sigma_max: float = 50.0
    noise_scale: float = 1.003
    rounds: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.churn < math.inf:
            raise UserError(f"churn: S_churn must be at least 0 and finite, got {self.churn}")
        if not 0.0 <= self.sigma_min <= self.sigma_max:
            raise UserError(
                f"sigma_min, sigma_max: Churn needs 0 ≤ S_min ≤ S_max, got {self.sigma_min} and {self.sigma_max}"
            )
        if not 0.0 < self.noise_scale < math.inf:
            raise UserError(f"noise_scale: S_noise must be above 0 and finite, got {self.noise_scale}")
        if isinstance(self.kernel, Churn):
            raise UserError("kernel: Churn around Churn raises a level twice; take one, with the sum as churn")

    @property
    def renoises(self) -> bool:  # type: ignore[override]
        return self.kernel.renoises

    @property
    def evaluations(self) -> int:  # type: ignore[override]
        return self.kernel.evaluations

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.kernel.needs_signal

    @property
    def becomes_exact(self) -> bool:  # type: ignore[override]
        return self.kernel.becomes_exact and (self.noise_scale == 1.0 or self.churn == 0.0)

    @property
    def is_stochastic(self) -> bool:
        return self.kernel.is_stochastic

    @property
    def reads_variance(self) -> bool:
        return self.kernel.reads_variance

    @property
    def raising_noise(self) -> float:  # type: ignore[override]
        return self.noise_scale

    def raised(self, step: Step, schedule: Schedule) -> Step:
        gamma = min(self.churn / step.total, math.sqrt(2.0) - 1.0)
        if gamma == 0.0 or step.signal == 0.0 or not self._churns_at(step.sigma):
            return step
        log_snr = step.log_snr - 2.0 * math.log1p(gamma)
        if self.rounds:
            nearest = schedule.nearest(log_snr)
            return step.at(nearest) if nearest.log_snr < step.log_snr else step
        return step.at(self._found(log_snr, schedule))

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        return self.kernel.transition(x_t, prediction, step, predict)

    def check(self, learns_variance: bool, steps: Sequence[Step]) -> None:
        self.kernel.check(learns_variance, steps)

    def _churns_at(self, sigma: float) -> bool:
        """Whether S_min ≤ σ ≤ S_max, where the log-SNR that σ was computed from has rounded it."""
        return self.sigma_min * (1.0 - ROUNDING) <= sigma <= self.sigma_max * (1.0 + ROUNDING)

    def _found(self, log_snr: float, schedule: Schedule) -> NoiseLevel:
        try:
            return schedule.at(log_snr)
        except UserError as error:
            raised, noisiest = NoiseLevel(0.0, log_snr).sigma, schedule.noisiest.sigma
            raise UserError(
                f"kernel: Churn raises a level to σ = {raised:.6g}, and the model's go to {noisiest:.6g}; set its "
                "sigma_max below the first level, let the spacing begin lower, or set rounds"
            ) from error
