"""A combiner around another one, which it passes on but for what it changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from dsg.combiners.base import Conditional, Evaluations, PredictionCombiner
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.types import State


@dataclass(frozen=True)
class Around(PredictionCombiner):
    """All of `base`: what it needs, and what it says. Subclasses write `predict`, from `self.base.predict`.

    Args:
        base: the combiner inside.
    """

    base: PredictionCombiner = field(default_factory=Conditional, kw_only=True)

    @property
    def needs_condition(self) -> bool:  # type: ignore[override]
        return self.base.needs_condition

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.base.needs_signal

    @property
    def corrects(self) -> bool:
        return self.base.corrects

    def needs(self, score_model: ScoreModel) -> frozenset[str]:
        return self.base.needs(score_model)

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        self.base.check(score_model, kernel)

    def num_classes(self, score_model: ScoreModel) -> int | None:
        return self.base.num_classes(score_model)

    def networks(self) -> tuple[nn.Module, ...]:
        return self.base.networks()


class Seen:
    """A batch as the combiner inside sees it: under another condition, or with x̂ that nobody clamps.

    Args:
        process: the batch.
        condition: what stands for the batch's own.
        clamps: whether x̂ is clamped to the model's range of clean states, where the batch's is.
    """

    def __init__(self, process: Evaluations, condition: Condition | None, clamps: bool = True) -> None:
        self.score_model: ScoreModel = process.score_model
        self.condition = condition
        self.memory: dict[Any, Any] = process.memory
        self._process, self._clamps = process, clamps

    def evaluate(
        self, x_t: State, step: Step, condition: Condition | None, score_model: ScoreModel | None = None
    ) -> Prediction:
        return self._process.evaluate(x_t, step, condition, score_model)

    def clamped(self, prediction: Prediction, x_t: State, level: NoiseLevel) -> Prediction:
        return self._process.clamped(prediction, x_t, level) if self._clamps else prediction
