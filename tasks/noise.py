"""Measurement noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.errors import UserError


class MeasurementNoise(ABC):
    """Turns A x into y, with one stream per image."""

    @abstractmethod
    def __call__(self, clean: Tensor, streams: NoiseStreams) -> Tensor:
        """Noisy version of `clean`, (B, ...), same shape."""


@dataclass(frozen=True)
class GaussianNoise(MeasurementNoise):
    """y = A x + σ_y n, n ~ N(0, I).

    Args:
        noise_sigma: σ_y ≥ 0 on images in [−1, 1]. Papers that state it on [0, 1] mean twice this number.

    Raises:
        UserError: for a negative or infinite noise_sigma.
    """

    noise_sigma: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.noise_sigma < float("inf"):
            raise UserError(f"noise_sigma: must be at least 0 (on images in [-1, 1]), got {self.noise_sigma}")

    def __call__(self, clean: Tensor, streams: NoiseStreams) -> Tensor:
        return clean + self.noise_sigma * streams.normal(Purpose.MEASUREMENT, clean.shape[1:]).to(clean)


@dataclass(frozen=True)
class PoissonNoise(MeasurementNoise):
    """y ~ Poisson(peak · u)/peak with u = (A x + 1)/2 in [0, 1], mapped back to [−1, 1].

    Args:
        peak: expected photon count of a white pixel, above 0; 255 is Chung et al. 2023's rate 1.

    Raises:
        UserError: for a peak that is not above 0 and finite.
    """

    peak: float = 255.0

    def __post_init__(self) -> None:
        if not 0 < self.peak < float("inf"):
            raise UserError(f"peak: the photon count of a white pixel must be above 0 and finite, got {self.peak}")

    def __call__(self, clean: Tensor, streams: NoiseStreams) -> Tensor:
        rate = ((clean + 1) / 2).clamp(min=0).cpu().double().numpy() * self.peak
        known = np.isfinite(rate)  # numpy draws nothing for a batch that has a NaN: one broken image would break all
        counts = [
            np.where(k, g.poisson(np.where(k, r, 0.0)), np.nan)
            for g, r, k in zip(streams.generators(Purpose.MEASUREMENT), rate, known, strict=True)
        ]
        return torch.from_numpy(np.stack(counts) / self.peak * 2 - 1).to(clean)
