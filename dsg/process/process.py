"""The reverse process of one batch: all that a guidance method may ask for, with every network evaluation counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from dsg.combiners.base import Conditional, PredictionCombiner
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.kernels.base import Predict
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.process.averages import Average, log_mean_exp
from dsg.process.base import Process
from dsg.process.gradients import LossGradient
from dsg.process.trace import GradientKind, Record, StepRecord
from dsg.types import PerSample, State
from tasks.base import Measurement, Task


class ReverseProcess(Process):
    """A score model, a task's measurement and a kernel, bound for one batch.

    An autocast that is active where this is made applies to the network alone; norms, losses and steps are float32.

    Args:
        score_model: the frozen model.
        task: gives the loss.
        measurement: what `task` measured of this batch.
        kernel: turns predictions into transitions.
        streams: the batch's random streams.
        steps: the reverse steps, noisiest first.
        condition: what the model is told besides the state, or None.
        clip_denoised: clamp x̂ to the model's range of clean states, if it has one.
        combiner: turns network evaluations into one prediction; by default the evaluation under `condition`.
    """

    def __init__(
        self,
        score_model: ScoreModel,
        task: Task,
        measurement: Measurement,
        kernel: ReverseKernel,
        streams: NoiseStreams,
        steps: Sequence[Step],
        condition: Condition | None = None,
        clip_denoised: bool = True,
        combiner: PredictionCombiner | None = None,
    ) -> None:
        super().__init__(score_model, task, measurement, streams, steps, condition)
        self.score_model = score_model
        self.kernel = kernel
        self._bounds = score_model.clean_range if clip_denoised else None
        self.combiner = combiner or Conditional()

    def evaluate(
        self, x_t: State, step: Step, condition: Condition | None, score_model: ScoreModel | None = None
    ) -> Prediction:
        """One evaluation of the network (or of another one) under `condition`, float32."""
        with self.evaluation():
            return (score_model or self.score_model)(x_t, step, condition)

    def clamped(self, prediction: Prediction, x_t: State, level: NoiseLevel) -> Prediction:
        """The prediction with x̂ inside the model's range of clean states, where it has one, and ε recomputed."""
        if (bounds := self._bounds) is None:
            return prediction
        return prediction.clamped(*bounds, x_t, level)

    def bounded(self, clean_estimate: State) -> State:
        """x̂ inside the model's range of clean states, where it has one."""
        return clean_estimate if self._bounds is None else clean_estimate.clamp(*self._bounds)

    def predict(self, x_t: State, step: Step) -> Prediction:
        """x̂ and ε at `x_t`, float32, as the combiner has them: one network evaluation, or as many as it takes."""
        return self.combiner.predict(x_t, step, self)

    def watched(self, record: Record) -> Record:
        """With the loss of an unguided step too: it needs no gradient, and guided steps are compared with it."""
        if not isinstance(record, StepRecord) or record.loss is not None:
            return record
        return replace(record, loss=self.loss(record.prediction.clean_estimate))

    def loss_gradient(
        self, x_t: State, step: Step, loss: Callable[[State], PerSample] | None = None, kind: GradientKind = "loss"
    ) -> LossGradient:
        """One forward and one backward pass: ∇_{x_t} of `loss(x̂(x_t))`, by default the task's.

        The backward goes to the input only; weights must not require gradients. `kind` says what the loss is.
        """
        with torch.enable_grad():
            x_t = x_t.detach().requires_grad_()
            prediction = self.predict(x_t, step)
            objective = loss or self.loss
            value = objective(prediction.clean_estimate)
            (gradient,) = torch.autograd.grad(value.sum(), x_t)
        self.backwards += 1
        return LossGradient(prediction.detach(), value.detach(), gradient, kind, objective)

    def clean_loss_gradient(
        self, clean_estimate: State, loss: Callable[[State], PerSample] | None = None
    ) -> tuple[PerSample, State]:
        """L(x̂, y), (B,), and ∇_x̂ L, (B, *shape): in clean space, with no pass through the network."""
        with torch.enable_grad():
            clean_estimate = clean_estimate.detach().requires_grad_()
            value = (loss or self.loss)(clean_estimate)
            (gradient,) = torch.autograd.grad(value.sum(), clean_estimate)
        return value.detach(), gradient

    def with_estimate(
        self, prediction: Prediction, clean_estimate: State, step: NoiseLevel, keep_epsilon: bool = False
    ) -> Prediction:
        """The prediction with another x̂, so that the kernel sees it.

        Args:
            keep_epsilon: put back the network's own noise, where the kernel reads ε apart from x̂. Others read the two
                as one, and ε moves with x̂ all the same.
        """
        if keep_epsilon and self.kernel.renoises:
            return replace(prediction, clean_estimate=clean_estimate)
        return prediction.moved_to(clean_estimate, step)

    def smoothed_loss(
        self, like: State, std: float, draws: int, average: Average = log_mean_exp
    ) -> Callable[[State], PerSample]:
        """x̂ ↦ the average of L(x̂ + std·z_k, y) over K fixed draws, (B,); where std is 0 all are L(x̂, y)."""
        if std == 0.0:
            once = average is log_mean_exp
            return self.loss if once else lambda estimate: average(self.loss(estimate).expand(draws, -1))
        shifts = [std * self.noise(like, Purpose.MONTE_CARLO) for _ in range(draws)]
        return lambda estimate: average(torch.stack([self.loss(estimate + shift) for shift in shifts]))

    def transition(
        self, x_t: State, prediction: Prediction, step: Step, predict: Callable[[State, Step], Prediction] | None = None
    ) -> Transition:
        """The step's mean and standard deviation from a prediction at `x_t`.

        Args:
            predict: how `prediction` was made, for a kernel that evaluates further; by default `self.predict`.
        """
        predict = predict or self.predict
        further: Predict = lambda state, level: predict(state, step.at(level, further=True))  # noqa: E731
        return self.kernel.transition(x_t, prediction, step, further)

    def unguided_transition(self, x_t: State, prediction: Prediction, step: Step, guided: Transition) -> Transition:
        """That from the network's own prediction, for the record; `guided` where it would cost evaluations."""
        return self.transition(x_t, prediction, step) if self.kernel.evaluations == 1 else guided

    def enter(self, x_t: State, step: Step) -> tuple[State, Step]:
        """The state and the step that are taken: of a kernel that raises levels, √(â/ā) x_t + √(1−â/ā) s z at its level
        â, and the step from there; of others, and where it does not raise, these two as they are."""
        raised = self.kernel.raised(step, self.score_model.schedule)
        if raised.log_snr == step.log_snr:
            return x_t, step
        over = replace(raised, prev=step)
        return self._up(x_t, over, self.kernel.raising_noise * self.noise(x_t, Purpose.CHURN)), raised

    def renoise(self, x_prev: State, step: Step) -> State:
        """Back up over `step` along the forward process: √(ā/ā_prev) x_prev + √(1−ā/ā_prev) z' (time travel)."""
        return self._up(x_prev, step, self.noise(x_prev, Purpose.RECURRENCE))

    def _up(self, x_prev: State, step: Step, noise: State) -> State:
        return (1.0 - step.beta) ** 0.5 * x_prev + step.beta**0.5 * noise

    def noise(self, like: State, purpose: Purpose = Purpose.REVERSE) -> State:
        """Fresh z ~ N(0, I) of `like`'s shape, from each sample's own stream."""
        return self.streams.normal(purpose, like.shape[1:])
