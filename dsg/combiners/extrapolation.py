"""What classifier-free guidance and its variants share: two evaluations where they act, one elsewhere."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from dsg.combiners.base import Evaluations, check_both_ways, condition_of, null_of
from dsg.combiners.interval import InInterval
from dsg.combiners.scale import ClassScale, check_class_scale, scale_at
from dsg.data.examples import LABEL
from dsg.diffusion.condition import Condition, class_labels
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.types import State, at_least_float32, expand_to


@dataclass(frozen=True)
class Extrapolation(InInterval):
    """From a weak prediction past a strong one, by γ, at the noise levels of an interval (2404.07724).

    Where γ = 1 or t is outside the interval, the prediction is the strong one, by one evaluation. Subclasses write
    `combine`; the weak prediction is by default the unconditional one. A learned variance is the strong one's.

    Args:
        guidance_scale: γ = 1 + w ≥ 0, a number, a ScaleSchedule of the noise level, or a list of γ_y, one for each
            class; 1 is the conditional model.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.

    Raises:
        UserError: for values outside these ranges.
    """

    guidance_scale: ClassScale = 2.0

    needs_condition: ClassVar[bool] = True

    def needs(self, score_model: ScoreModel) -> frozenset[str]:
        by_class = frozenset({LABEL}) if isinstance(self.guidance_scale, tuple) else frozenset()
        return super().needs(score_model) | by_class

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        check_both_ways(score_model, self)
        check_class_scale(self.guidance_scale, score_model)

    @property
    def corrects(self) -> bool:
        """Unless γ is 1 all along."""
        scale = self.guidance_scale
        return any(value != 1.0 for value in scale) if isinstance(scale, tuple) else scale != 1.0

    def is_guided(self, step: Step) -> bool:
        """Whether two predictions are combined on this step: for the whole batch, where they are for a class."""
        if not self.in_interval(step):
            return False
        scale = self.guidance_scale
        return self.corrects if isinstance(scale, tuple) else scale_at(scale, step) != 1.0

    def scale(self, x_t: State, step: Step, process: Evaluations) -> float | Tensor:
        """γ at this step, or those of the batch's classes, (B, 1, ..., 1)."""
        if not isinstance(self.guidance_scale, tuple):
            return scale_at(self.guidance_scale, step)
        key = (type(self), self.guidance_scale, id(process.condition))  # another combiner may tell another class
        if key not in process.memory:  # once a batch: no step is to wait for a copy to the device
            labels = class_labels(process.condition, "combiner.guidance_scale")
            dtype = at_least_float32(x_t).dtype  # bf16-true has made fewer digits the default
            scales = torch.tensor(self.guidance_scale, device=labels.device, dtype=dtype)
            process.memory[key] = scales[labels].to(x_t.device)
        return expand_to(process.memory[key], x_t)

    def condition(self, process: Evaluations) -> Condition | None:
        """What the strong prediction is conditioned on."""
        return condition_of(process)

    def weak(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        """The prediction to move away from."""
        return process.evaluate(x_t, step, null_of(process))

    @abstractmethod
    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        """Both halves, from those of the strong and of the weak one."""

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        prediction = process.evaluate(x_t, step, self.condition(process))
        if self.is_guided(step):
            weak = self.weak(x_t, step, process)
            combined = self.combine(prediction, weak, x_t, step, process)
            prediction = replace(combined, correction=(combined.epsilon - weak.epsilon).detach())
        return process.clamped(prediction, x_t, step)
