"""What a prediction combiner is: several network evaluations become the one prediction that a step sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

from torch import nn

from dsg.data.examples import LABEL
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State


class Conditioned(Protocol):
    """A batch with its own `condition`, or none."""

    condition: Condition | None


class Evaluations(Conditioned, Protocol):
    """What a combiner may ask of the batch: network evaluations, each of which is counted.

    `memory` is what a combiner keeps from step to step under a key of its own.
    """

    score_model: ScoreModel
    memory: dict[Any, Any]

    def evaluate(
        self, x_t: State, step: Step, condition: Condition | None, score_model: ScoreModel | None = None
    ) -> Prediction:
        """One evaluation of the network (or of another one) under `condition`, float32."""
        ...

    def clamped(self, prediction: Prediction, x_t: State, level: NoiseLevel) -> Prediction:
        """The prediction with x̂ inside the model's range of clean states, where it has one."""
        ...


class PredictionCombiner(ABC):
    """A strategy object: immutable, per sample, ignorant of tasks and guidance, so that it goes under any of them.

    What it must remember from step to step is in the process's `memory`, which lives as long as the batch.
    """

    needs_condition: ClassVar[bool] = False
    """Whether every example has to come with what the model makes a condition of, such as a class label."""

    needs_signal: ClassVar[bool] = False
    """Whether it divides by √ā, so that it cannot start from noise alone (ā = 0)."""

    def needs(self, score_model: ScoreModel) -> frozenset[str]:
        """The columns that every example has to have for it."""
        return columns_of_condition(score_model) if self.needs_condition else frozenset()

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        """Raise UserError if the score model lacks what this combiner needs. Called before the first sample."""

    def num_classes(self, score_model: ScoreModel) -> int | None:
        """How many classes a label may name; None if neither the model nor the combiner takes labels."""
        return score_model.num_classes

    @property
    def corrects(self) -> bool:
        """Whether its predictions say what was added to a weak one (`Prediction.correction`)."""
        return False

    def networks(self) -> tuple[nn.Module, ...]:
        """Frozen modules besides the score model; they move to its device with it."""
        return ()

    @abstractmethod
    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        """The prediction at `x_t`, (B, *shape), from as many `process.evaluate` as needed. Differentiable in `x_t`.

        An evaluation on the way of a step has that step's position, and its own level.
        """


class Conditional(PredictionCombiner):
    """One evaluation under the batch's own condition: x̂ and ε of (x_t, t, c), or of (x_t, t) where there is none."""

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        return process.clamped(process.evaluate(x_t, step, process.condition), x_t, step)


def columns_of_condition(score_model: ScoreModel) -> frozenset[str]:
    """The columns of which a condition is made: what the model hears, or the labels of whoever guides beside it."""
    return score_model.hears if score_model.is_conditional else frozenset({LABEL})


def condition_of(process: Conditioned) -> Condition:
    """The batch's condition.

    Raises:
        UserError: if it has none.
    """
    if process.condition is None:
        raise UserError("combiner: it guides by a condition and this batch has none; set data.labels")
    return process.condition


def null_of(process: Conditioned) -> Condition | None:
    """What stands for no condition in this batch; None is the score model's own way to be unconditional."""
    return None if process.condition is None else process.condition.null()


def check_both_ways(score_model: ScoreModel, combiner: PredictionCombiner) -> None:
    """Raise UserError unless the score model can be evaluated with a condition and without one."""
    name = type(combiner).__name__
    if not score_model.is_conditional:
        raise UserError(
            f"combiner: {name} needs a score model with classes, or another condition; set model.score_model to one"
        )
    if not score_model.knows_marginal:
        raise UserError(
            f"combiner: {name} also evaluates the score model without a class, and it has no null class; set its "
            "null_class if it was trained with dropped labels, or use Autoguidance with an unconditional guide"
        )
