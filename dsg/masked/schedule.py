"""Which share of the tokens is masked at which time.

Survival e^{−σ̄} is the share that is seen, ā of a level here: 1 − share. Time runs from 1, all masked, to 0. A masked
token is seen again at the rate κ = d log share/dt, 1/t where the share is linear.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from dsg.diffusion.level import CLEAN, NoiseLevel, Step
from dsg.errors import UserError


class MaskSchedule(ABC):
    """share(t), which rises from 0 at t = 0 to 1 at t = 1, and its inverse."""

    @abstractmethod
    def share(self, time: float) -> float:
        """The share that is masked, in [0, 1]."""

    @abstractmethod
    def time(self, share: Tensor) -> Tensor:
        """The times (B,) at which these shares (B,) are masked."""

    def level(self, time: float) -> NoiseLevel:
        """As a noise level: its t is the time, its ā = 1 − share(t) what is seen."""
        return CLEAN if time == 0.0 else NoiseLevel.from_alpha_bar(time, 1.0 - self.share(time))

    def steps(self, count: int) -> list[Step]:
        """So many steps, equal in time, from 1 to 0.

        Raises:
            UserError: for less than one.
        """
        if count < 1:
            raise UserError(f"steps: must be at least 1, got {count}")
        levels = [self.level(1.0 - k / count) for k in range(count)] + [CLEAN]
        return [Step(at.t, at.log_snr, prev, count - 1 - k, count) for k, (at, prev) in enumerate(pairwise(levels))]


@dataclass(frozen=True)
class Linear(MaskSchedule):
    """share = t, which is log-linear in the survival: σ̄ = −log(1 − t) (Sahoo et al. 2024, 2406.07524)."""

    def share(self, time: float) -> float:
        return time

    def time(self, share: Tensor) -> Tensor:
        return share


@dataclass(frozen=True)
class Cosine(MaskSchedule):
    """share = cos(π(1−t)/2): few tokens at first, when little is known (Chang et al. 2022, 2202.04200, 3.2)."""

    def share(self, time: float) -> float:
        return math.sin(0.5 * math.pi * time)

    def time(self, share: Tensor) -> Tensor:
        return torch.asin(share.clamp(0.0, 1.0)) * (2.0 / math.pi)
