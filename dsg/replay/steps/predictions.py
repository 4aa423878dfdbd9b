"""Recorded predictions: of the prior itself, and of what combines several into one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from dsg.combiners import APG, CFGZeroStar, ClassifierFree, PredictionCombiner
from dsg.diffusion.condition import ClassLabels, Condition
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.models.mixture import GaussianMixture
from dsg.replay.steps.read import COMMON, RecordedStep
from dsg.replay.steps.recorded import levels, prior, step_of
from dsg.replay.steps.replayed import Replayed, Table, in_words
from dsg.types import State


def common(record: RecordedStep) -> Replayed:
    """ε and x̂ of the prior."""
    model = prior(record.common)
    prediction = model(record["x_t"], model.schedule.level(record.t))
    return Replayed("GaussianMixture", {"eps": prediction.epsilon, "x0_hat": prediction.clean_estimate})


@dataclass
class RecordedEvaluations:
    """What a combiner asks of a batch: the recorded ε with a condition and without, of a network that predicts ε."""

    record: RecordedStep
    score_model: ScoreModel
    condition: Condition | None = field(default_factory=lambda: ClassLabels(torch.zeros(2, dtype=torch.long)))
    memory: dict[Any, Any] = field(default_factory=dict)

    def evaluate(
        self, x_t: State, step: Step, condition: Condition | None, score_model: ScoreModel | None = None
    ) -> Prediction:
        epsilon = self.record["pred_uncond" if condition is None else "pred_cond"]
        return Prediction.from_epsilon(epsilon, x_t, step)

    def clamped(self, prediction: Prediction, x_t: State, level: NoiseLevel) -> Prediction:
        return prediction


def guiders(record: RecordedStep) -> Replayed:
    """diffusers' guiders; a network that predicts ε, so that `prediction` is ε."""
    combiner = _combiner(record)
    model = prior(record.common)
    model.predicts = "epsilon"
    return Replayed(in_words(combiner), {"pred": _combined(combiner, record, model, {}).epsilon})


def _combined(
    combiner: PredictionCombiner, record: RecordedStep, model: GaussianMixture, memory: dict[Any, Any]
) -> Prediction:
    """The combined prediction, after those of the steps before it where the record carries a momentum."""
    if record.before is not None and record.option("sequential_over_t"):
        _combined(combiner, record.before, model, memory)
    step = step_of(record, levels(model))
    if not record.option("sequential_over_t"):
        step = replace(step, index=step.total - 1 - record.option("step"))
    return combiner.predict(record["x_t"], step, RecordedEvaluations(record, model, memory=memory))


def _combiner(record: RecordedStep) -> PredictionCombiner:
    """The guider of a tag. Its original formulation counts w = γ − 1 as its scale."""
    options = record.hyper[record.tag]
    original = options.get("use_original_formulation", False)
    scale = options["guidance_scale"] + original
    if record.tag.startswith("apg"):
        return APG(
            scale,
            momentum=options["momentum"] or 0.0,
            norm_threshold=options["norm_threshold"] or None,
            parallel=options["eta"],
            acts_on="prediction",
            start="conditional" if original else "unconditional",
        )
    if record.tag.startswith("zero_star"):
        return CFGZeroStar(scale, zero_steps=options["zero_init_steps"], acts_on="prediction", floor=1e-8)
    return ClassifierFree(scale, rescale=options.get("guidance_rescale", 0.0), acts_on="prediction")


PREDICTIONS: Table = {COMMON: common, "cfg_family_diffusers": guiders}
