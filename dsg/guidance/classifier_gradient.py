"""Classifier guidance as a loss guidance, so that DSG's step goes over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from dsg.combiners.noisy_classifier import NoisyClassifier
from dsg.diffusion.condition import class_labels
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.noisy_gradient import NoisyGradient
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import GradientKind
from dsg.types import PerSample, State
from tasks.base import Task


@dataclass(frozen=True)
class ClassifierGradient(NoisyGradient):
    """Dhariwal & Nichol 2021 (2105.05233), algorithm 1: the mean moves along the classifier's gradient,

        x_prev = μ + σ z + w σ² ∇_{x_t} log p(c | x_t)

    on top of the score model under its combiner: the conditional score by default, so that w is classifier-free
    guidance's γ − 1 as steps get fine. c is the batch's label and the gradient goes through the classifier alone. The
    combiner `ClassifierGuidance` changes ε instead; this form has a gradient for DSG to take: `DSG` with this `base`.

    Args:
        classifier: p(c | x_t) of noisy states, at the score model's noise levels.
        weight: w ≥ 0; 0 is the sampler alone.

    Raises:
        UserError: for a negative w, a classifier that does not fit the score model, or a kernel without noise.
    """

    classifier: NoisyClassifier
    weight: float = 1.0

    needs_condition = True
    kind: ClassVar[GradientKind] = "classifier"
    combiner: ClassVar[str] = "ClassifierGuidance"

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        super().check(kernel, task, score_model)
        if score_model.num_classes != self.classifier.num_classes:
            raise UserError(
                f"guidance.classifier: it has {self.classifier.num_classes} classes and the score model "
                f"{score_model.num_classes or 0}; take a classifier with the same classes"
            )

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.classifier,)

    def value(self, x_t: State, step: Step, process: ReverseProcess) -> PerSample:
        labels = class_labels(process.condition, "guidance: ClassifierGradient")
        return self.classifier.log_prob(x_t, step, labels)
