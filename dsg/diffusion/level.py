"""Noise levels, and the steps of a sampler between them.

    x_t = √ā x_0 + √(1−ā) ε,   λ = log(ā/(1−ā)), the log-SNR

Everything here is float64 and on no device: a step's numbers are Python floats, so neither `bf16-true` nor a module's
`.to()` can touch them. A level holds λ, from which √ā and √(1−ā) follow with all their digits: 1 − ā, computed as it is
written, has none left where ā is near 1, nor has ā where it is near 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class NoiseLevel:
    """Where on the diffusion a state is.

    Args:
        t: the schedule's time: the timestep of a table (may be fractional), σ, or the time of a flow.
        log_snr: λ, falling with the noise; −∞ is noise alone (ā = 0) and ∞ a clean state (ā = 1).
    """

    t: float
    log_snr: float

    @classmethod
    def from_alpha_bar(cls, t: float, alpha_bar: float) -> NoiseLevel:
        """The level of ā in [0, 1]."""
        return NoiseLevel(t, log_snr_of(alpha_bar))

    @classmethod
    def from_sigma(cls, t: float, sigma: float) -> NoiseLevel:
        """The level at which x/√ā has noise of standard deviation σ ≥ 0: λ = −2 log σ."""
        return NoiseLevel(t, math.inf if sigma == 0.0 else -2.0 * math.log(sigma))

    @property
    def alpha_bar(self) -> float:
        """ā = 1/(1+e^−λ), the share of the signal's variance."""
        return _sigmoid(self.log_snr)

    @property
    def noise_variance(self) -> float:
        """1 − ā = 1/(1+e^λ)."""
        return _sigmoid(-self.log_snr)

    @property
    def signal(self) -> float:
        """√ā."""
        return math.sqrt(self.alpha_bar)

    @property
    def noise(self) -> float:
        """√(1−ā)."""
        return math.sqrt(self.noise_variance)

    @property
    def sigma(self) -> float:
        """σ̃ = √((1−ā)/ā) = e^(−λ/2), the noise of x/√ā; ∞ where ā = 0."""
        return math.inf if self.log_snr == -math.inf else math.exp(-self.log_snr / 2.0)

    @property
    def log_alpha_bar(self) -> float:
        """log ā = −log(1+e^−λ)."""
        return -_softplus(-self.log_snr)


CLEAN = NoiseLevel(0.0, math.inf)
"""Where a trajectory ends: no noise."""


@dataclass(frozen=True)
class Step(NoiseLevel):
    """One reverse step, from this level to `prev`.

    Args:
        prev: the next, less noisy level; CLEAN after the last step, unless the spacing ends at a level.
        index: steps that are left after this one; the last step has index 0.
        total: how many steps the trajectory has.
        further: whether it is seen from a kernel's further evaluation, such as the second of Heun's.
    """

    prev: NoiseLevel
    index: int
    total: int
    further: bool = False

    def at(self, level: NoiseLevel, further: bool = False) -> Self:
        """This step as seen from another level on its way: for evaluations that belong to it, and not to its start."""
        return replace(self, t=level.t, log_snr=level.log_snr, further=further)

    @property
    def position(self) -> int:
        """Steps before this one; the first step has position 0."""
        return self.total - 1 - self.index

    @property
    def is_last(self) -> bool:
        """Whether no step follows."""
        return self.index == 0

    @property
    def ends_clean(self) -> bool:
        """Whether no noise is left after it; of the last step that is the spacing's to say."""
        return self.prev.log_snr == math.inf

    @property
    def duration(self) -> float:
        """log(ā_prev/ā) > 0, the step's length in the time τ of ā = exp(−τ); ∞ from noise alone."""
        return self.prev.log_alpha_bar - self.log_alpha_bar

    @property
    def beta(self) -> float:
        """β = 1 − ā/ā_prev = (1−ā)(1 − e^(λ−λ_prev)), the noise that the forward process adds over this step."""
        return self.noise_variance * -math.expm1(self.log_snr - self.prev.log_snr)

    @property
    def posterior_variance(self) -> float:
        """Var(x_prev | x_t, x_0) = β (1−ā_prev)/(1−ā) (Ho et al. 2020, eq. 7)."""
        return self.beta * self.prev.noise_variance / self.noise_variance


def log_snr_of(alpha_bar: float) -> float:
    """λ = log(ā/(1−ā)) of ā in [0, 1]."""
    if alpha_bar in (0.0, 1.0):
        return math.copysign(math.inf, alpha_bar - 0.5)
    return math.log(alpha_bar) - math.log1p(-alpha_bar)


def _sigmoid(x: float) -> float:
    """1/(1+e^−x), without overflow."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0.0 else math.exp(x) / (1.0 + math.exp(x))


def _softplus(x: float) -> float:
    """log(1+e^x), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
