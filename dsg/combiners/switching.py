"""Attribute switching: one class above a noise level, and another below it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dsg.combiners.around import Around, Seen
from dsg.combiners.base import Evaluations
from dsg.data.examples import LABEL
from dsg.diffusion.condition import ClassLabels, Condition, class_labels
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State

Told = int | tuple[int, ...] | None
"""A class for everyone, one for each of the classes of the data, or the data's own."""


@dataclass(frozen=True)
class Switching(Around):
    """Choi et al. 2024 (2401.03140): the condition is a function of the noise level,

        c(t) = `above` where t > τ,   `below` where t ≤ τ

    so that the coarse structure of a picture is drawn as of the one and its details as of the other. The combiner
    inside is told that condition as if it were the data's. It takes no evaluation more.

    Args:
        t: τ, a time of the score model's schedule.
        above: the class of noisier levels: a number for every sample; a list that says it for each class of the data's
            labels; null is the data's label itself.
        below: the class of the other levels, likewise.
        base: the combiner inside.

    Raises:
        UserError: for a τ outside the schedule, or a class that the model does not have.
    """

    t: float
    above: Told = None
    below: Told = None

    def __post_init__(self) -> None:
        for side in ("above", "below"):
            if isinstance(told := getattr(self, side), list):  # as Python writes it, and hashable
                object.__setattr__(self, side, tuple(told))

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        super().check(score_model, kernel)
        classes, name = self.num_classes(score_model), type(score_model).__name__
        if classes is None:
            raise UserError(f"combiner: Switching needs classes, and {name} has none; take a model with classes")
        low, high = score_model.schedule.cleanest.t, score_model.schedule.noisiest.t
        if not low <= self.t <= high:
            raise UserError(f"combiner.t: the time {self.t} is outside the schedule of {name}, {low:g} to {high:g}")
        for where, told in (("above", self.above), ("below", self.below)):
            _check_told(told, classes, f"combiner.{where}")

    def needs(self, score_model: ScoreModel) -> frozenset[str]:
        own = not (isinstance(self.above, int) and isinstance(self.below, int))
        return super().needs(score_model) | {LABEL} if own else super().needs(score_model) - {LABEL}

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        told = self.above if step.t > self.t else self.below
        return self.base.predict(x_t, step, Seen(process, self._condition(told, x_t, process)))

    def _condition(self, told: Told, x_t: State, process: Evaluations) -> Condition | None:
        if told is None:
            class_labels(process.condition, "combiner: Switching")
            return process.condition
        key = (Switching, told, id(process.condition))  # made once, so that no step waits for it
        if key not in process.memory:
            process.memory[key] = _labels(told, x_t, process)
        return process.memory[key]


def _check_told(told: Told, classes: int, where: str) -> None:
    if isinstance(told, tuple) and len(told) != classes:
        raise UserError(f"{where}: must say a class for each of the model's {classes}, got {len(told)}")
    named = (told,) if isinstance(told, int) else told or ()
    if wrong := [label for label in named if not 0 <= label < classes]:
        raise UserError(f"{where}: must be classes of the model, 0 to {classes - 1}, got {wrong[0]}")


def _labels(told: int | tuple[int, ...], x_t: State, process: Evaluations) -> ClassLabels:
    """What every sample is told, (B,) int64."""
    if isinstance(told, int):
        return ClassLabels(torch.full((len(x_t),), told, device=x_t.device))
    own = class_labels(process.condition, "combiner: Switching")
    return ClassLabels(torch.tensor(told, device=own.device)[own])
