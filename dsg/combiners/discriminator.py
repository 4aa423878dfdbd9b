"""Discriminator guidance: the score, corrected by who can tell the model's samples from data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import nn

from dsg.combiners.around import Around, Seen
from dsg.combiners.base import Evaluations
from dsg.combiners.interval import InInterval
from dsg.combiners.noisy_gradient import value_and_gradient
from dsg.combiners.scale import GuidanceScale, refuse_class_scale, scale_at
from dsg.data.examples import LABEL
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.discriminator import Discriminator
from dsg.types import State


@dataclass(frozen=True)
class DiscriminatorGuidance(Around, InInterval):
    """Kim et al. 2023 (2211.17091), eq. 8, and Verine et al. 2025 (2503.16117), with any kernel and over any combiner:

        s = s_θ + w ∇_{x_t} log d(x_t, t)/(1 − d(x_t, t)),   so   ε ← ε − w √(1−ā) ∇_{x_t} log d/(1−d)

    With w = 1 and log d/(1−d) = log p_t/q_t this is the data's score, if q_t's is s_θ. A model with an error has none
    such: q_t is of its samples, noised again, and not of what its sampler passes through at t.

    One evaluation of the score model a step, or as many as the combiner inside takes; the gradient goes through the
    discriminator alone and is not counted. x̂ is clamped once, after it.

    Args:
        guidance_scale: w ≥ 0, a number or a ScaleSchedule; 0 is the combiner inside.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        discriminator: d(x_t, t) of noisy states, at the score model's noise levels.
        further_calls: correct a kernel's further evaluations too. False is Kim's: w on the first call of a step of
            Heun's, and 0 on the second.
        base: the combiner inside.

    Raises:
        UserError: for values outside these ranges, or a discriminator that does not fit the score model.
    """

    guidance_scale: GuidanceScale = 1.0

    discriminator: Discriminator = field(kw_only=True)
    further_calls: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        refuse_class_scale(self.guidance_scale)
        super().__post_init__()

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return True  # ε moves x̂ by √((1−ā)/ā)

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        check_fits(self.discriminator, score_model, "combiner.discriminator")
        super().check(score_model, kernel)

    def needs(self, score_model: ScoreModel) -> frozenset[str]:
        told = frozenset({LABEL}) if self.discriminator.num_classes is not None else frozenset()
        return super().needs(score_model) | told

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.discriminator, *super().networks())

    def _weight(self, step: Step) -> float:
        return scale_at(self.guidance_scale, step)

    def is_guided(self, step: Step) -> bool:
        """Whether the gradient is taken at this evaluation."""
        return self.in_interval(step) and self._weight(step) > 0.0 and (self.further_calls or not step.further)

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        if not self.is_guided(step):
            return self.base.predict(x_t, step, process)
        prediction = self.base.predict(x_t, step, Seen(process, process.condition, clamps=False))
        _, gradient = value_and_gradient(lambda x: self.discriminator.logit(x, step, process.condition), x_t)
        shifted = prediction.shifted(-self._weight(step) * step.noise * gradient, step)
        # each half by its own estimate, since CFG++ puts them apart
        clean_estimate = process.clamped(shifted, x_t, step).clean_estimate
        of_epsilon = process.clamped(Prediction.from_epsilon(shifted.epsilon, x_t, step), x_t, step)
        return replace(shifted, clean_estimate=clean_estimate, epsilon=of_epsilon.epsilon)


def check_fits(discriminator: Discriminator, score_model: ScoreModel, where: str) -> None:
    """Raise UserError for a discriminator of other states, levels or classes than the score model's.

    Args:
        where: the beginning of the error.
    """
    if discriminator.shape != score_model.shape:
        raise UserError(
            f"{where}: its states are {discriminator.shape} and the score model's {score_model.shape}; take a "
            "discriminator of the same states"
        )
    if discriminator.schedule is not None and not discriminator.schedule.is_like(score_model.schedule):
        raise UserError(f"{where}: its noise schedule is not the score model's; take one that was trained with that")
    if discriminator.num_classes not in (None, score_model.num_classes):
        raise UserError(
            f"{where}: it has {discriminator.num_classes} classes and the score model {score_model.num_classes or 0}; "
            "take a discriminator with the same classes, or with none"
        )
