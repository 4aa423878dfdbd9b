"""Which noise levels a score model knows: a table, as networks in discrete time were trained with."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np

from dsg.diffusion.level import NoiseLevel, log_snr_of
from dsg.errors import UserError

Kind = Literal["linear", "scaled_linear", "cosine", "sigmoid"]
ROUNDING = 1e-9  # of a log-SNR that was computed: this little beyond an end is the end


class Schedule(ABC):
    """The levels between the noisiest and the cleanest that a network was trained on, and its own time t of each."""

    @property
    @abstractmethod
    def noisiest(self) -> NoiseLevel:
        """The level of the largest t; its λ may be −∞."""

    @property
    @abstractmethod
    def cleanest(self) -> NoiseLevel:
        """The level of the smallest t; its λ may be ∞, and is then no level to sample at."""

    @abstractmethod
    def level(self, t: float) -> NoiseLevel:
        """The level of the network's time t."""

    @abstractmethod
    def time_of(self, log_snr: float) -> float:
        """The network's time t of a log-SNR inside the schedule."""

    def at(self, log_snr: float) -> NoiseLevel:
        """The level of a log-SNR.

        Raises:
            UserError: if it is outside the schedule.
        """
        low, high = self.noisiest.log_snr, self.cleanest.log_snr
        slack = ROUNDING * (1.0 + abs(log_snr)) if math.isfinite(log_snr) else 0.0
        if not low - slack <= log_snr <= high + slack:
            raise UserError(
                f"schedule: the log-SNR {log_snr:.6g} is outside the model's levels, {low:.6g} to {high:.6g} "
                f"(σ {self.noisiest.sigma:.6g} to {self.cleanest.sigma:.6g}); set the spacing's ends inside"
            )
        if log_snr <= low or log_snr >= high:  # as it is, and not as it is computed
            return self.noisiest if log_snr <= low else self.cleanest
        return NoiseLevel(self.time_of(log_snr), log_snr)

    def nearest(self, log_snr: float) -> NoiseLevel:
        """The level of a log-SNR; of a table that of its timestep whose σ is nearest, also for one that is outside.

        Raises:
            UserError: if it is outside a schedule that is no table.
        """
        return self.at(log_snr)

    def is_like(self, other: Schedule) -> bool:
        """Whether both have the same ends and, between them, the same times: a weaker model has to speak of the same
        levels."""
        ends = ((self.noisiest, other.noisiest), (self.cleanest, other.cleanest))
        if not all(
            math.isclose(getattr(a, share), getattr(b, share), rel_tol=1e-4)
            for a, b in ends
            for share in ("alpha_bar", "noise_variance", "t")
        ):
            return False
        low, high = max(self.noisiest.log_snr, -20.0), min(self.cleanest.log_snr, 20.0)
        between = [low + (high - low) * k / 10 for k in range(1, 10)]
        scale = abs(self.noisiest.t - self.cleanest.t)
        return all(abs(self.time_of(x) - other.time_of(x)) <= 1e-3 * scale for x in between)


class NoiseSchedule(Schedule):
    """The table of ā_t, t = 0..T−1, that a score model was trained with.

    - `linear`: β evenly spaced.
    - `scaled_linear`: √β evenly spaced (latent diffusion).
    - `cosine`: ā = cos²((t/T + .008)/1.008·π/2), with β ≤ .999 (Nichol & Dhariwal 2021, eq. 17).
    - `sigmoid`: β between its ends as a logistic curve from −6 to 6 (GeoDiff, Xu et al. 2022).

    Between its levels log-SNR is linear in t; beside ā = 0, where it has no end, √ā is.

    Args:
        kind: the curve.
        num_timesteps: T, the length of the table.
        beta_start: β of the first step, in (0, 1); without effect on `cosine`.
        beta_end: β of the last step, in (0, 1); without effect on `cosine`.
        zero_terminal_snr: shift and scale √ā_t so that ā = 0 at the end and the first level stays (Lin et al. 2023,
            2305.08891, algorithm 1). A network that predicts ε knows nothing of x_0 there; it has to predict v or x_0.

    Raises:
        UserError: for values outside these ranges.
    """

    def __init__(
        self,
        kind: Kind = "linear",
        num_timesteps: int = 1000,
        beta_start: float = 1e-4,
        beta_end: float = 2e-2,
        zero_terminal_snr: bool = False,
    ) -> None:
        if num_timesteps < 1:
            raise UserError(f"schedule: num_timesteps must be at least 1, got {num_timesteps}")
        if not 0 < beta_start <= beta_end < 1:
            raise UserError(f"schedule: needs 0 < beta_start ≤ beta_end < 1, got {beta_start} and {beta_end}")
        self._take(np.cumprod(1.0 - _betas(kind, num_timesteps, beta_start, beta_end)), zero_terminal_snr)

    @classmethod
    def from_alpha_bar(cls, alpha_bar: Sequence[float] | np.ndarray, zero_terminal_snr: bool = False) -> NoiseSchedule:
        """A schedule read from a checkpoint: ā_t strictly falling with t, inside (0, 1) or to 0 at the end."""
        table = np.asarray(alpha_bar, dtype=np.float64)
        if table.ndim != 1 or not len(table) or not ((table[:-1] > 0) & (table[:-1] < 1)).all():
            raise UserError("schedule: alpha_bar must be a list of numbers inside (0, 1), the last one perhaps 0")
        if not 0 <= table[-1] < 1 or (np.diff(table) >= 0).any():
            raise UserError("schedule: alpha_bar must fall strictly, and not below 0")
        schedule = cls.__new__(cls)
        schedule._take(table, zero_terminal_snr)
        return schedule

    @classmethod
    def from_betas(cls, betas: Sequence[float] | np.ndarray, zero_terminal_snr: bool = False) -> NoiseSchedule:
        """A schedule from its per-step β in (0, 1); the last one may be 1."""
        return cls.from_alpha_bar(np.cumprod(1.0 - np.asarray(betas, dtype=np.float64)), zero_terminal_snr)

    def _take(self, alpha_bar: np.ndarray, zero_terminal_snr: bool = False) -> None:
        if zero_terminal_snr:
            if len(alpha_bar) < 2:
                raise UserError("schedule: zero_terminal_snr needs a table of at least two levels")
            signal = np.sqrt(alpha_bar)
            alpha_bar = ((signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])) ** 2
        self.alpha_bar = alpha_bar
        self.log_snr = np.array([log_snr_of(value) for value in alpha_bar.tolist()])

    def __len__(self) -> int:
        return len(self.alpha_bar)

    @property
    def noisiest(self) -> NoiseLevel:
        return self.level(len(self) - 1)

    @property
    def cleanest(self) -> NoiseLevel:
        return self.level(0)

    def level(self, t: float) -> NoiseLevel:
        """The level of timestep t, 0 to T−1."""
        if not 0 <= t <= len(self) - 1:
            raise UserError(f"schedule: the timestep {t} is outside the model's, 0 to {len(self) - 1}")
        if t == int(t):
            return NoiseLevel(int(t), float(self.log_snr[int(t)]))
        if t > len(self) - 2 and self.log_snr[-1] == -math.inf:
            signal = self._last_signal * (len(self) - 1 - t)
            return NoiseLevel(t, log_snr_of(signal**2))
        return NoiseLevel(t, float(np.interp(t, np.arange(len(self)), self.log_snr)))

    def nearest(self, log_snr: float) -> NoiseLevel:
        sigmas = np.exp(-self.log_snr / 2.0)  # ∞ at ā = 0
        return self.level(int(np.abs(sigmas - NoiseLevel(0.0, log_snr).sigma).argmin()))

    def time_of(self, log_snr: float) -> float:
        if log_snr == self.log_snr[-1]:
            return len(self) - 1
        if len(self) > 1 and log_snr < self.log_snr[-2] and self.log_snr[-1] == -math.inf:
            return len(self) - 1 - NoiseLevel(0.0, log_snr).signal / self._last_signal
        return float(np.interp(log_snr, self.log_snr[::-1], np.arange(len(self))[::-1]))

    @property
    def _last_signal(self) -> float:
        """√ā of the level before the noisiest: where that one is noise alone, √ā and not λ is linear in t between."""
        return math.sqrt(float(self.alpha_bar[-2]))


def _betas(kind: Kind, total: int, start: float, end: float) -> np.ndarray:
    if kind == "linear":
        return np.linspace(start, end, total, dtype=np.float64)
    if kind == "scaled_linear":
        return np.linspace(start**0.5, end**0.5, total, dtype=np.float64) ** 2
    if kind == "cosine":
        grid = np.cos((np.arange(total + 1) / total + 0.008) / 1.008 * np.pi / 2) ** 2
        return np.minimum(1.0 - grid[1:] / grid[:-1], 0.999)
    if kind == "sigmoid":
        return start + (end - start) / (1.0 + np.exp(-np.linspace(-6.0, 6.0, total)))
    raise UserError(f"schedule: kind must be linear, scaled_linear, cosine or sigmoid, got {kind!r}")
