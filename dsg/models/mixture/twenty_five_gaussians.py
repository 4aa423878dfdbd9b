"""The mixture that posterior samplers are judged on."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture


class TwentyFiveGaussians(GaussianMixture):
    """25 Gaussians of unit covariance with means (8i, 8j, 8i, 8j, ...), i, j = −2..2, and weights ∝ z², z ~ N(0, 1).

    Cardoso et al. 2023 (2308.07983), section 5. States are vectors, far outside [−1, 1]: switch clip_denoised off.

    Args:
        dimension: d, even and at least 2.
        seed: of the weights.

    Raises:
        UserError: for another dimension.
    """

    def __init__(self, dimension: int = 80, seed: int = 0) -> None:
        if dimension < 2 or dimension % 2:
            raise UserError(f"dimension: must be even and at least 2, got {dimension}")
        weights = np.random.Generator(np.random.PCG64DXSM(seed)).standard_normal(25) ** 2
        grid = torch.tensor(list(itertools.product((-16.0, -8.0, 0.0, 8.0, 16.0), repeat=2)))
        super().__init__(torch.from_numpy(weights), grid.repeat(1, dimension // 2), 1.0)
