"""The guidance scale: one number, a function of the noise level, or a number for each class."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass

from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.base import ScoreModel


class ScaleSchedule(ABC):
    """γ as a function of the noise level: any that is never negative. Hashable, without state."""

    @abstractmethod
    def at(self, level: NoiseLevel) -> float:
        """γ ≥ 0 at a level."""


@dataclass(frozen=True)
class PiecewiseLinear(ScaleSchedule):
    """γ between points over the timestep t, linear between them and constant outside.

    `t: [0, 999]`, `scale: [1, 4]` rises with the noise; `t: [300, 300, 800, 800]` with `scale: [1, 4, 4, 1]` is 4 in an
    interval and 1 outside. In classifier-free guidance w = γ − 1, so that γ ≥ 1 is what 2505.01382 speaks of.

    Args:
        t: timesteps, ascending; two may be equal, where γ jumps.
        scale: γ ≥ 0 at each.

    Raises:
        UserError: for lists of different lengths, t that falls, and a negative γ.
    """

    t: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.t or len(self.t) != len(self.scale):
            raise UserError(
                f"guidance_scale: needs as many t as scale, and one at least, got {len(self.t)} and {len(self.scale)}"
            )
        if list(self.t) != sorted(self.t):
            raise UserError(f"guidance_scale: t must not fall, got {list(self.t)}")
        for value in self.scale:
            check_scale(value)

    def at(self, level: NoiseLevel) -> float:
        right = bisect_right(self.t, level.t)
        if right == 0 or right == len(self.t):
            return self.scale[0 if right == 0 else -1]
        (t0, t1), (s0, s1) = self.t[right - 1 : right + 1], self.scale[right - 1 : right + 1]
        return s0 + (s1 - s0) * (level.t - t0) / (t1 - t0)


# the schedule first: of several reasons why a configuration fits none, the first one is told
GuidanceScale = ScaleSchedule | float
ClassScale = ScaleSchedule | tuple[float, ...] | float
"""Also γ_y of each class y, in the classes' order: rare classes may need another scale than common ones."""


def refuse_class_scale(scale: object) -> None:
    """Raise UserError for a number for each class, where one is for all."""
    if isinstance(scale, tuple | list):
        raise UserError(f"guidance_scale: one number for all classes, or a schedule; got {list(scale)}")


def check_scale(scale: ClassScale) -> None:
    """Raise UserError unless 0 ≤ γ < ∞, of every class."""
    if isinstance(scale, ScaleSchedule):
        return
    for value in scale if isinstance(scale, tuple) else (scale,):
        if not 0.0 <= value < math.inf:
            raise UserError(f"guidance_scale: γ must be at least 0 and finite, got {value}")


def check_class_scale(scale: ClassScale, score_model: ScoreModel) -> None:
    """Raise UserError unless a scale that has a number for each class has as many as the score model has classes."""
    if not isinstance(scale, tuple):
        return
    name, classes = type(score_model).__name__, score_model.num_classes
    if classes is None:
        raise UserError(f"guidance_scale: has a γ for each class, and {name} is told of none; give one number")
    if len(scale) != classes:
        raise UserError(
            f"guidance_scale: {len(scale)} γ for the {classes} classes of {name}; give one for each, in their order"
        )


def scale_at(scale: GuidanceScale, level: NoiseLevel) -> float:
    """γ at a level.

    Raises:
        UserError: if a schedule gives a negative one, or none.
    """
    if not isinstance(scale, ScaleSchedule):
        return scale
    value = scale.at(level)
    check_scale(value)
    return value
