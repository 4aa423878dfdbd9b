"""What a score model is: a frozen network that gives both halves of a noisy state, with all that it alone knows."""

from __future__ import annotations

from abc import abstractmethod

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Schedule
from dsg.models.frozen import FrozenModel
from dsg.models.prediction_types import PredictionType
from dsg.types import State


class ScoreModel(FrozenModel):
    """A frozen model of x_t = √ā x̂ + √(1−ā) ε at the noise levels of its schedule.

    A network in other coordinates (variance-exploding, EDM, a flow) is wrapped: states here are variance-preserving.
    Beside what every frozen model has, subclasses set `schedule`; `clean_range` where clean states have one;
    `learns_variance` where they return a `variance_range`; and `predicts`, on which a prediction combiner may act.
    """

    schedule: Schedule
    clean_range: tuple[float, float] | None = None  # of clean states, to which x̂ may be clamped; None for latents
    learns_variance: bool = False
    whole_timesteps: bool = False  # of a network whose own t is an index and can be no fraction
    predicts: PredictionType | None = None  # what its network was trained for; None where it does not say

    @abstractmethod
    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        """x̂ and ε of `x_t`, float32 or better, each as exactly as the family allows.

        Args:
            x_t: (B, *shape), float32.
            level: the noise level of the whole batch.
            condition: what `condition` made; None is unconditional.
        """
