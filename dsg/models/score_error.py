"""A score model with an error of known size, to see what guidance makes of it."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch

from dsg.diffusion.condition import ClassLabels, Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.wrapped import WrappedModel
from dsg.types import State

RANK = 64  # directions at most, so that an image does not need a square matrix of its size


class ScoreError(WrappedModel):
    """The score s_θ + δ e(x_t, t), so ε_θ − √(1−ā) δ e, with a smooth and fixed e and E‖e‖² ≈ 1 over the batch.

        e_j(x, t) = √(2/d) cos(κ v_j·x + φ_j + 2π√ā),   j = 1..d

    with v_j random unit vectors (64 at most, then again from the first) and φ_j random phases. ‖e‖² is 1 on average if
    κ v_j·x has a spread of a radian or more; it is 2 at the most. e is no gradient, as a network's error is none. δ = 0
    is the model itself, bit for bit.

    Args:
        score_model: s_θ; its classes, schedule, shape, decoder and learned variance are passed on.
        size: δ ≥ 0, the root of E‖error of the score‖², in 1/(units of the state).
        added_to: `both` adds one error with a class and without, so that s_c − s stays exact; `conditional` only with
            one.
        frequency: κ > 0, radians per unit of the state.
        seed: of directions and phases.

    Raises:
        UserError: for values outside these ranges, and `conditional` with a model without classes.
    """

    def __init__(
        self,
        score_model: ScoreModel,
        size: float = 0.1,
        added_to: Literal["both", "conditional"] = "both",
        frequency: float = 3.0,
        seed: int = 0,
    ) -> None:
        super().__init__(score_model)
        if not (0 <= size < math.inf and 0 < frequency < math.inf):
            raise UserError(f"ScoreError: size must be at least 0 and frequency positive, got {size} and {frequency}")
        if added_to not in ("both", "conditional"):
            raise UserError(f"ScoreError: added_to must be both or conditional, got {added_to!r}")
        if added_to == "conditional" and score_model.num_classes is None:
            raise UserError("ScoreError: added_to: conditional needs a score model with classes; set added_to: both")
        self.size, self.added_to = size, added_to
        d, random = math.prod(self.shape), np.random.Generator(np.random.PCG64DXSM(seed))
        waves = torch.from_numpy(random.standard_normal((min(d, RANK), d)))
        self._waves = frequency * waves / waves.norm(dim=1, keepdim=True)  # float64, no buffers: no cast may touch them
        self._phases = torch.from_numpy(random.uniform(0, 2 * math.pi, d))
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        prediction = self.score_model(x_t, level, condition)
        if self.size == 0 or (self.added_to == "conditional" and condition is None):
            return prediction
        change = level.noise * self.size * self.error(x_t, level)
        if self.added_to == "conditional" and self.null_class is not None and isinstance(condition, ClassLabels):
            labelled = (condition.labels != self.null_class).reshape(-1, *[1] * len(self.shape))
            change = torch.where(labelled.to(change.device), change, torch.zeros_like(change))
        return prediction.shifted(-change.float(), level)

    def error(self, x: State, level: NoiseLevel) -> State:
        """e(x, t), (B, *shape) float64."""
        if self._waves.device != x.device:
            self._waves, self._phases = self._waves.to(x.device), self._phases.to(x.device)
        turns = x.double().flatten(1) @ self._waves.T
        d = len(self._phases)
        angles = turns.repeat(1, -(-d // turns.shape[1]))[:, :d] + self._phases + 2 * math.pi * level.signal
        return ((2 / d) ** 0.5 * angles.cos()).reshape(x.shape)
