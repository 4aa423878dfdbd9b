"""Noise levels of a variance-preserving diffusion, and the levels that a respaced sampler visits.

    x_t = √ā_t x_0 + √(1−ā_t) ε,   ā_t = Π_{s≤t} (1−β_s)

Everything here is float64 and on no device: a step's numbers are Python floats, so neither `bf16-true` nor a module's
`.to()` can touch them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dsg.errors import UserError

Kind = Literal["linear", "scaled_linear", "cosine"]
Spacing = Literal["even", "leading", "trailing", "log_snr"]


@dataclass(frozen=True)
class NoiseLevel:
    """Where on the diffusion a state is.

    Args:
        t: timestep as the network was trained with, 0 (clean) to `num_timesteps`−1; may be fractional.
        alpha_bar: ā_t in (0, 1), the share of the signal's variance.
    """

    t: float
    alpha_bar: float


@dataclass(frozen=True)
class Step(NoiseLevel):
    """One reverse step, from `alpha_bar` to `alpha_bar_prev`.

    Args:
        index: steps that are left after this one; the last step has index 0.
        alpha_bar_prev: ā of the next, less noisy level; 1 after the last step.
        total: how many steps the trajectory has.
    """

    index: int
    alpha_bar_prev: float
    total: int

    @property
    def position(self) -> int:
        """Steps before this one; the first step has position 0."""
        return self.total - 1 - self.index

    @property
    def beta(self) -> float:
        """β = 1 − ā/ā_prev, the noise that the forward process adds over this step (of the respaced process)."""
        return 1.0 - self.alpha_bar / self.alpha_bar_prev

    @property
    def posterior_variance(self) -> float:
        """Var(x_prev | x_t, x_0) = β (1−ā_prev)/(1−ā) (Ho et al. 2020, eq. 7)."""
        return self.beta * (1.0 - self.alpha_bar_prev) / (1.0 - self.alpha_bar)


class NoiseSchedule:
    """The table of ā_t that a score model was trained with.

    - `linear`: β evenly spaced.
    - `scaled_linear`: √β evenly spaced (latent diffusion).
    - `cosine`: ā = cos²((t/T + .008)/1.008·π/2), with β ≤ .999 (Nichol & Dhariwal 2021, eq. 17).

    Args:
        kind: the curve.
        num_timesteps: T, the length of the table.
        beta_start: β of the first step, in (0, 1); without effect on `cosine`.
        beta_end: β of the last step, in (0, 1); without effect on `cosine`.
    """

    def __init__(
        self, kind: Kind = "linear", num_timesteps: int = 1000, beta_start: float = 1e-4, beta_end: float = 2e-2
    ) -> None:
        if num_timesteps < 1:
            raise UserError(f"schedule: num_timesteps must be at least 1, got {num_timesteps}")
        if not 0 < beta_start <= beta_end < 1:
            raise UserError(f"schedule: needs 0 < beta_start ≤ beta_end < 1, got {beta_start} and {beta_end}")
        self.alpha_bar = np.cumprod(1.0 - _betas(kind, num_timesteps, beta_start, beta_end))

    @classmethod
    def from_alpha_bar(cls, alpha_bar: Sequence[float] | np.ndarray) -> NoiseSchedule:
        """A schedule read from a checkpoint: ā_t in (0, 1), strictly falling with t."""
        table = np.asarray(alpha_bar, dtype=np.float64)
        if table.ndim != 1 or not len(table) or not ((table > 0) & (table < 1)).all() or (np.diff(table) >= 0).any():
            raise UserError("schedule: alpha_bar must be a list that falls strictly inside (0, 1)")
        schedule = cls.__new__(cls)
        schedule.alpha_bar = table
        return schedule

    @classmethod
    def from_betas(cls, betas: Sequence[float] | np.ndarray) -> NoiseSchedule:
        """A schedule from its per-step β in (0, 1)."""
        return cls.from_alpha_bar(np.cumprod(1.0 - np.asarray(betas, dtype=np.float64)))

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def respace(self, steps: int | str, spacing: Spacing = "even") -> list[Step]:
        """The reverse steps of a sampler that visits `steps` of the T levels, noisiest first.

        Args:
            steps: how many levels, 1 to T; or `ddimN`, the integer stride that gives exactly N of them.
            spacing: `even` rounds an even division with both ends kept (guided-diffusion); `leading` strides up from 0;
                `trailing` strides down from T−1; `log_snr` divides log(ā/(1−ā)) evenly between both ends, for solvers
                in continuous time: levels lie between those of the table, t is fractional, and may be more than T.

        Raises:
            UserError: if the schedule has no such subset.
        """
        if spacing == "log_snr":
            visited, alpha_bar = self._continuous(steps)
        else:
            visited = np.flip(timesteps(len(self), steps, spacing))
            alpha_bar = self.alpha_bar[visited]
        previous = np.append(alpha_bar[1:], 1.0)
        last = len(visited) - 1
        return [
            Step(t=t.item(), alpha_bar=float(a), index=last - i, alpha_bar_prev=float(p), total=len(visited))
            for i, (t, a, p) in enumerate(zip(visited, alpha_bar, previous, strict=True))
        ]

    def _continuous(self, steps: int | str) -> tuple[np.ndarray, np.ndarray]:
        """t and ā of `steps` levels, evenly spaced in log(ā/(1−ā)), noisiest first."""
        if isinstance(steps, str) and not steps.isdigit():
            raise UserError(f"steps: spacing log_snr takes a number of levels, got {steps!r}")
        if int(steps) < 1:
            raise UserError(f"steps: must be at least 1, got {steps}")
        table = np.log(self.alpha_bar / (1.0 - self.alpha_bar))
        visited = np.linspace(table[-1], table[0], int(steps))
        t = np.interp(visited, table[::-1], np.arange(len(table))[::-1])
        return t, 1.0 / (1.0 + np.exp(-visited))


def timesteps(total: int, steps: int | str, spacing: Spacing = "even") -> np.ndarray:
    """The timesteps that `respace` visits, ascending, (S,) integers in [0, total)."""
    if isinstance(steps, str) and steps.startswith("ddim") and steps[4:].isdigit():
        return _integer_stride(total, int(steps[4:]))
    if isinstance(steps, str) and not steps.isdigit():
        raise UserError(f"steps: expected a number or ddimN (ddim50), got {steps!r}")
    count = int(steps)
    if not 1 <= count <= total:
        raise UserError(f"steps: must be 1 to {total}, the length of the model's schedule, got {count}")
    if spacing not in ("even", "leading", "trailing"):
        raise UserError(f"spacing: must be even, leading, trailing or log_snr, got {spacing!r}")
    if spacing == "leading":
        return np.arange(count) * (total // count)
    if spacing == "trailing":
        return np.round(total - np.arange(count)[::-1] * (total / count)).astype(int) - 1
    if count == 1:
        return np.array([total - 1])  # an even division of one level has one end: the noisy one
    return np.array([round(i * (total - 1) / (count - 1)) for i in range(count)])


def _integer_stride(total: int, count: int) -> np.ndarray:
    for stride in range(1, total + 1):
        if len(range(0, total, stride)) == count:
            return np.arange(0, total, stride)
    raise UserError(f"steps: no integer stride visits exactly {count} of {total} levels; write steps: {count} instead")


def _betas(kind: Kind, total: int, start: float, end: float) -> np.ndarray:
    if kind == "linear":
        return np.linspace(start, end, total, dtype=np.float64)
    if kind == "scaled_linear":
        return np.linspace(start**0.5, end**0.5, total, dtype=np.float64) ** 2
    if kind == "cosine":
        grid = np.cos((np.arange(total + 1) / total + 0.008) / 1.008 * np.pi / 2) ** 2
        return np.minimum(1.0 - grid[1:] / grid[:-1], 0.999)
    raise UserError(f"schedule: kind must be linear, scaled_linear or cosine, got {kind!r}")
