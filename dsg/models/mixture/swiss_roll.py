"""The Swiss roll in the plane, as a mixture that is known exactly."""

from __future__ import annotations

import math

import numpy as np
import torch

from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture

FIRST, LAST = 1.5 * math.pi, 4.5 * math.pi  # radians


class SwissRoll(GaussianMixture):
    """N points θ(cos θ, sin θ)/scale of the spiral, θ ~ U[1.5π, 4.5π], each widened to N(point, h² I).

    The roll itself has no closed form; this kernel estimate of it is the data, and its score, classes and samples are
    exact. Classes are equal parts of the angle, the innermost first. States are (2,) and with the default scale of
    about unit variance in each coordinate; neighbouring turns are 2π/scale apart.

    Args:
        points: N ≥ 1, the Gaussians.
        bandwidth: h > 0, a standard deviation in the units of the state.
        num_classes: C ≥ 1, each with a point at least; 1 is a model with one class.
        scale: radians to one unit of the state, > 0.
        seed: of the angles.
        schedule: noise levels; null is linear, 1e-4 to 2e-2 over 1000.

    Raises:
        UserError: for values outside these ranges.
    """

    def __init__(
        self,
        points: int = 1500,
        bandwidth: float = 0.05,
        num_classes: int = 3,
        scale: float = 7.0,
        seed: int = 0,
        schedule: Schedule | None = None,
    ) -> None:
        if points < 1 or num_classes < 1:
            raise UserError(f"SwissRoll: points and num_classes must be at least 1, got {points} and {num_classes}")
        if not (0 < bandwidth < math.inf and 0 < scale < math.inf):
            raise UserError(f"SwissRoll: bandwidth and scale must be positive, got {bandwidth} and {scale}")
        share = np.random.Generator(np.random.PCG64DXSM(seed)).random(points)  # of the way along, in [0, 1)
        classes = torch.from_numpy((share * num_classes).astype(np.int64))
        if len(classes.unique()) < num_classes:
            raise UserError(f"SwissRoll: {points} points leave one of {num_classes} classes empty; take more points")
        angle = FIRST + (LAST - FIRST) * share
        means = angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) / scale
        super().__init__(torch.ones(points), torch.from_numpy(means), bandwidth**2, classes=classes, schedule=schedule)
