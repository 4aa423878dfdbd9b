"""Schedules in continuous time: of variance-exploding, EDM and variance-preserving networks, and of flows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError


@dataclass(frozen=True)
class SigmaSchedule(Schedule):
    """x = x_0 + σ ε, the noise by its standard deviation: VE (Song et al. 2021) and EDM (Karras et al. 2022).

        t = σ,   ā = 1/(1+σ²),   λ = −2 log σ

    Args:
        sigma_min: of the cleanest level, above 0; EDM's is 0.002.
        sigma_max: of the noisiest, above sigma_min; EDM's is 80.

    Raises:
        UserError: for values outside these ranges.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0

    def __post_init__(self) -> None:
        if not 0.0 < self.sigma_min < self.sigma_max < math.inf:
            raise UserError(f"schedule: needs 0 < sigma_min < sigma_max, got {self.sigma_min} and {self.sigma_max}")

    @property
    def noisiest(self) -> NoiseLevel:
        return self.level(self.sigma_max)

    @property
    def cleanest(self) -> NoiseLevel:
        return self.level(self.sigma_min)

    def level(self, t: float) -> NoiseLevel:
        if not self.sigma_min <= t <= self.sigma_max:
            raise UserError(f"schedule: σ = {t} is outside the model's, {self.sigma_min} to {self.sigma_max}")
        return NoiseLevel.from_sigma(t, t)

    def time_of(self, log_snr: float) -> float:
        return math.exp(-log_snr / 2.0)


@dataclass(frozen=True)
class VPSchedule(Schedule):
    """β linear in a continuous t in [0, 1], the limit of DDPM's table (Song et al. 2021, 2011.13456, eq. 33):

        log ā = −½ t² (β_max − β_min) − t β_min

    Args:
        beta_min: β at t = 0, above 0.
        beta_max: β at t = 1, above beta_min.
        t_min: t of the cleanest level, in (0, 1); 1e-5 as there, 1e-3 in the samplers of score_sde.

    Raises:
        UserError: for values outside these ranges.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    t_min: float = 1e-5

    def __post_init__(self) -> None:
        if not 0.0 < self.beta_min < self.beta_max < math.inf:
            raise UserError(f"schedule: needs 0 < beta_min < beta_max, got {self.beta_min} and {self.beta_max}")
        if not 0.0 < self.t_min < 1.0:
            raise UserError(f"schedule: t_min must be in (0, 1), got {self.t_min}")

    @property
    def noisiest(self) -> NoiseLevel:
        return self.level(1.0)

    @property
    def cleanest(self) -> NoiseLevel:
        return self.level(self.t_min)

    def level(self, t: float) -> NoiseLevel:
        if not self.t_min <= t <= 1.0:
            raise UserError(f"schedule: the time {t} is outside the model's, {self.t_min} to 1")
        gone = t * (self.beta_min + 0.5 * t * (self.beta_max - self.beta_min))  # −log ā
        return NoiseLevel(t, -(gone + math.log(-math.expm1(-gone))))

    def time_of(self, log_snr: float) -> float:
        gone, slope = -NoiseLevel(0.0, log_snr).log_alpha_bar, self.beta_max - self.beta_min
        return 2.0 * gone / (self.beta_min + math.sqrt(self.beta_min**2 + 2.0 * slope * gone))


@dataclass(frozen=True)
class FlowSchedule(Schedule):
    """The straight path of rectified flow, x = (1−t) x_0 + t ε with t from 0, the data, to 1 (Liu et al. 2022).

        ā = (1−t)²/((1−t)² + t²),   λ = 2 log((1−t)/t)

    Its noisiest level is noise alone, ā = 0; its cleanest, t = 0, is the data and is not sampled at.
    """

    @property
    def noisiest(self) -> NoiseLevel:
        return self.level(1.0)

    @property
    def cleanest(self) -> NoiseLevel:
        return self.level(0.0)

    def level(self, t: float) -> NoiseLevel:
        if not 0.0 <= t <= 1.0:
            raise UserError(f"schedule: the time {t} of a flow is outside 0 to 1")
        return NoiseLevel(t, flow_log_snr(t))

    def time_of(self, log_snr: float) -> float:
        return flow_time(log_snr)


def flow_log_snr(t: float) -> float:
    """λ = 2 log((1−t)/t) of the time t in [0, 1] of a flow."""
    if t in (0.0, 1.0):
        return math.copysign(math.inf, 0.5 - t)
    return 2.0 * (math.log1p(-t) - math.log(t))


def flow_time(log_snr: float) -> float:
    """t = 1/(1+e^(λ/2)): the time that a flow would have at this log-SNR."""
    half = log_snr / 2.0
    return 1.0 / (1.0 + math.exp(half)) if half <= 0.0 else math.exp(-half) / (1.0 + math.exp(-half))
