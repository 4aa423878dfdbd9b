"""What a prediction combiner is: several network evaluations become the one prediction that a step sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dsg.kernels import Prediction
from dsg.models.base import ScoreModel
from dsg.schedule import Step
from dsg.types import State

if TYPE_CHECKING:
    from dsg.process import ReverseProcess


class PredictionCombiner(ABC):
    """A strategy object: immutable, per sample, ignorant of tasks and guidance, so that it goes under any of them."""

    def check(self, score_model: ScoreModel) -> None:
        """Raise UserError if the score model lacks what this combiner needs. Called before the first sample."""

    @abstractmethod
    def predict(self, x_t: State, step: Step, process: ReverseProcess) -> Prediction:
        """The prediction at `x_t`, (B, *shape), from as many `process.evaluate` as needed. Differentiable in `x_t`."""


class Conditional(PredictionCombiner):
    """One evaluation under the batch's own condition: ε_θ(x_t, t, c), or ε_θ(x_t, t) where there is none."""

    def predict(self, x_t: State, step: Step, process: ReverseProcess) -> Prediction:
        output = process.evaluate(x_t, step, process.condition)
        return Prediction.from_output(output, x_t, step, process.clip_denoised)
