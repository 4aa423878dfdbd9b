"""A schedule that knows some σ and none between: of networks in discrete time that see x_0 + σ ε."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import ROUNDING, Schedule
from dsg.errors import UserError


class SigmaTable(Schedule):
    """x = x_0 + σ ε at the σ of a table (Karras et al. 2022, 2206.00364, appendix C.3.4).

        t = σ,   ā = 1/(1+σ²)

    Every σ that a spacing or a kernel asks for is rounded to the nearest, so that the levels visited are the table's.

    Args:
        sigmas: strictly falling, above 0.

    Raises:
        UserError: for another list.
    """

    def __init__(self, sigmas: Sequence[float]) -> None:
        if len(sigmas) < 2 or not all(0.0 < b < a < math.inf for a, b in pairwise(sigmas)):
            raise UserError("schedule: the σ of a table must be two or more that fall strictly, all above 0 and finite")
        self.sigmas = np.asarray(sigmas, dtype=np.float64)

    def __len__(self) -> int:
        return len(self.sigmas)

    @property
    def noisiest(self) -> NoiseLevel:
        return self._entry(0)

    @property
    def cleanest(self) -> NoiseLevel:
        return self._entry(len(self) - 1)

    def level(self, t: float) -> NoiseLevel:
        """The level nearest to σ = t."""
        top, bottom = self.sigmas[:2], self.sigmas[-2:]
        low, high = bottom[1] - (bottom[0] - bottom[1]) / 2.0, top[0] + (top[0] - top[1]) / 2.0
        if not low * (1.0 - ROUNDING) <= t <= high * (1.0 + ROUNDING):
            raise UserError(
                f"schedule: σ = {t:.6g} is outside the model's, {bottom[1]:.6g} to {top[0]:.6g}; set the "
                "spacing's ends inside"
            )
        return self._entry(int(np.abs(self.sigmas - t).argmin()))

    def time_of(self, log_snr: float) -> float:
        return self.at(log_snr).t

    def at(self, log_snr: float) -> NoiseLevel:
        return self.level(math.exp(-log_snr / 2.0))

    def nearest(self, log_snr: float) -> NoiseLevel:
        """The level whose σ is nearest, also of one that is outside."""
        return self._entry(int(np.abs(self.sigmas - math.exp(-log_snr / 2.0)).argmin()))

    def _entry(self, index: int) -> NoiseLevel:
        sigma = float(self.sigmas[index])
        return NoiseLevel.from_sigma(sigma, sigma)
