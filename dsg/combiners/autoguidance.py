"""Autoguidance: away from a weaker version of the model, instead of from its unconditional prediction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import nn

from dsg.combiners.base import Evaluations
from dsg.combiners.extrapolation import Extrapolation
from dsg.combiners.scale import check_class_scale
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State


@dataclass(frozen=True)
class Autoguidance(Extrapolation):
    """Karras et al. 2024 (2406.02507), with a second, weaker model ε_weak (less trained, or smaller):

        ε = ε_weak + γ (ε − ε_weak)

    Both hear the batch's label, if there is one; a guide without classes hears none, so that a separate unconditional
    network is classifier-free guidance for a model that has no null class.

    Args:
        guidance_scale: γ ≥ 0, a number, a ScaleSchedule, or one for each class; 1 is the score model alone, by
            one evaluation.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        guide: the weaker model, of the same states and schedule.

    Raises:
        UserError: for values outside these ranges, or a guide that does not fit the score model.
    """

    guide: ScoreModel = field(kw_only=True)

    needs_condition: ClassVar[bool] = False

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        check_class_scale(self.guidance_scale, score_model)
        if self.guide.shape != score_model.shape:
            raise UserError(
                f"combiner.guide: its states are {self.guide.shape} and the score model's {score_model.shape}; "
                "take a guide for the same states"
            )
        if not self.guide.schedule.is_like(score_model.schedule):
            raise UserError("combiner.guide: its noise schedule is not the score model's; take a guide with that one")
        if self.guide.num_classes not in (None, score_model.num_classes):
            raise UserError(
                f"combiner.guide: it has {self.guide.num_classes} classes and the score model "
                f"{score_model.num_classes or 0}; take a guide with the same classes, or with none"
            )

    def needs(self, score_model: ScoreModel) -> frozenset[str]:
        return super().needs(score_model) | self.guide.requires

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.guide,)

    def condition(self, process: Evaluations) -> Condition | None:
        return process.condition

    def weak(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        heard = process.condition if self.guide.is_conditional else None
        return process.evaluate(x_t, step, heard, self.guide)

    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        return weak.towards(strong, self.scale(x_t, step, process))
