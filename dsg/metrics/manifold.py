"""How far a state is from the noisy data manifold, where the density is known."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch

from dsg.diffusion.level import NoiseLevel
from dsg.models.mixture import GaussianMixture
from dsg.types import PerSample, State

DRAWS = 2000


class TypicalSet:
    """Where states of p_t are: −log p_t(x_t) has mean m_t and standard deviation s_t there, and

        z = (−log p_t(x) − m_t)/s_t

    is about N(0, 1) for a state on the noisy data manifold, large for one that left it, and very negative for one that
    is closer to a mode than noise would leave it.

    m_t and s_t are over 2000 exact draws, the same for every level and run.

    Args:
        mixture: p_0.
    """

    def __init__(self, mixture: GaussianMixture) -> None:
        self.mixture = mixture
        self._range: dict[float, tuple[float, float]] = {}

    def deviation(self, x: State, alpha_bar: float) -> PerSample:
        """z of every sample, (B, *shape) → (B,) float64."""
        if alpha_bar not in self._range:
            clean, noise = self._draws
            surprise = self._surprise(math.sqrt(alpha_bar) * clean + math.sqrt(1.0 - alpha_bar) * noise, alpha_bar)
            self._range[alpha_bar] = (surprise.mean().item(), surprise.std().item())
        mean, std = self._range[alpha_bar]
        return (self._surprise(x, alpha_bar) - mean) / std

    def _surprise(self, x: State, alpha_bar: float) -> PerSample:
        return -self.mixture.log_prob(x, NoiseLevel.from_alpha_bar(0.0, alpha_bar))

    @cached_property
    def _draws(self) -> tuple[State, State]:
        generator = np.random.Generator(np.random.PCG64DXSM(0))
        normal = generator.standard_normal((DRAWS, 1 + 2 * self.mixture.dimension))
        first, second = torch.from_numpy(normal).split([1 + self.mixture.dimension, self.mixture.dimension], dim=1)
        return self.mixture.transform(first), second.reshape(DRAWS, *self.mixture.shape)
