"""Classifier guidance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from dsg.combiners.base import Evaluations, PredictionCombiner, check_both_ways
from dsg.combiners.noisy_classifier import NoisyClassifier
from dsg.combiners.noisy_gradient import value_and_gradient
from dsg.combiners.scale import GuidanceScale, check_scale, refuse_class_scale, scale_at
from dsg.data.examples import LABEL
from dsg.diffusion.condition import class_labels
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State


@dataclass(frozen=True)
class ClassifierGuidance(PredictionCombiner):
    """Dhariwal & Nichol 2021 (2105.05233), algorithm 2, with any kernel:

        ε ← ε − s √(1−ā) ∇_{x_t} log p(c | x_t)

    One network evaluation a step. The gradient goes through the classifier alone and is not counted as a backward pass;
    under a loss guidance it is itself differentiated.

    Args:
        classifier: p(c | x_t) of noisy states, at the score model's noise levels.
        guidance_scale: s ≥ 0, a number or a ScaleSchedule; 0 is the score model alone. On the unconditional model s is
            classifier-free guidance's γ, on the conditional one its w = γ − 1.
        conditional: give the label to the score model too, if it takes labels.

    Raises:
        UserError: for values outside these ranges, or a classifier that does not fit the score model.
    """

    classifier: NoisyClassifier
    guidance_scale: GuidanceScale = 1.0
    conditional: bool = True

    needs_condition: ClassVar[bool] = True
    needs_signal: ClassVar[bool] = True  # ε moves x̂ by √((1−ā)/ā)

    def __post_init__(self) -> None:
        refuse_class_scale(self.guidance_scale)
        check_scale(self.guidance_scale)

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        if score_model.num_classes is None and score_model.is_conditional:
            raise UserError(
                f"combiner: ClassifierGuidance guides by class, and {type(score_model).__name__} is told of "
                f"{', '.join(sorted(score_model.hears))}; take a model of classes, or an unconditional one"
            )
        if score_model.num_classes is None:
            return
        if not self.conditional:
            check_both_ways(score_model, self)
        if score_model.num_classes != self.classifier.num_classes:
            raise UserError(
                f"combiner.classifier: it has {self.classifier.num_classes} classes and the score model "
                f"{score_model.num_classes}; take a classifier with the same classes"
            )

    def num_classes(self, score_model: ScoreModel) -> int | None:
        return self.classifier.num_classes

    def needs(self, score_model: ScoreModel) -> frozenset[str]:
        return frozenset({LABEL})

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.classifier,)

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        labels = class_labels(process.condition, "combiner: ClassifierGuidance")
        hears = self.conditional and process.score_model.is_conditional
        prediction = process.evaluate(x_t, step, process.condition if hears else None)
        if (scale := scale_at(self.guidance_scale, step)) > 0.0:
            labels = labels.to(x_t.device)
            _, gradient = value_and_gradient(lambda x: self.classifier.log_prob(x, step, labels), x_t)
            prediction = prediction.shifted(-scale * step.noise * gradient, step)
        return process.clamped(prediction, x_t, step)
