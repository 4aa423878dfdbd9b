"""The reverse process of one batch: all that a guidance method may ask for, with every network evaluation counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dsg.combiners.base import Conditional, PredictionCombiner
from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.diffusion.prediction import ModelOutput, Prediction
from dsg.diffusion.schedule import Step
from dsg.models.base import ScoreModel
from dsg.types import PerSample, State
from tasks.base import Measurement, Task


@dataclass(frozen=True)
class LossGradient:
    """The loss at a state and its gradient there.

    Args:
        prediction: the model's prediction at x_t, without a graph.
        loss: L(x̂(x_t), y), (B,).
        gradient: g = ∇_{x_t} L, (B, *shape), by one backward pass of ΣL.
    """

    prediction: Prediction
    loss: PerSample
    gradient: State


@dataclass(frozen=True)
class GuidedStep:
    """All that is known of a step when its loss gradient is there and the next state is not.

    Args:
        step: the levels that it goes between.
        x_t: the state before, (B, *shape).
        guide: prediction, loss and gradient at `x_t`.
        transition: the unguided mean and standard deviation.
        noise: z ~ N(0, I) of this step, (B, *shape).
    """

    step: Step
    x_t: State
    guide: LossGradient
    transition: Transition
    noise: State

    @property
    def gradient(self) -> State:
        """g = ∇_{x_t} L, (B, *shape)."""
        return self.guide.gradient

    @property
    def unguided(self) -> State:
        """μ + σ z, the ordinary step."""
        return self.transition.sample(self.noise)


class ReverseProcess:
    """A score model, a task's measurement and a kernel, bound for one batch.

    An autocast that is active where this is made applies to the network alone; norms, losses and steps are float32.

    Args:
        score_model: the frozen model.
        task: gives the loss.
        measurement: what `task` measured of this batch.
        kernel: turns predictions into transitions.
        streams: the batch's random streams.
        steps: the reverse steps, noisiest first.
        condition: class labels (B,), or None.
        clip_denoised: clamp x̂ to [−1, 1].
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
        condition: Tensor | None = None,
        clip_denoised: bool = True,
        combiner: PredictionCombiner | None = None,
    ) -> None:
        self.score_model = score_model
        self.task = task
        self.measurement = measurement
        self.kernel = kernel
        self.streams = streams
        self.steps = steps
        self.condition = condition
        self.clip_denoised = clip_denoised
        self.combiner = combiner or Conditional()
        self.forwards = 0  # network evaluations, and
        self.backwards = 0  # backward passes through it, of every sample of the batch
        self.memory: dict[Any, Any] = {}  # what a combiner or a method keeps of a batch, by a key of its own
        device = streams.device.type
        self._autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def evaluate(
        self, x_t: State, step: Step, condition: Tensor | None, score_model: ScoreModel | None = None
    ) -> ModelOutput:
        """One evaluation of the network (or of another one) under `condition`, float32."""
        self.forwards += 1
        device, dtype, enabled = self._autocast
        with torch.autocast(device, dtype, enabled=enabled):
            return (score_model or self.score_model)(x_t, step, condition)

    def predict(self, x_t: State, step: Step) -> Prediction:
        """x̂ and ε at `x_t`, float32, as the combiner has them: one network evaluation, or as many as it takes."""
        return self.combiner.predict(x_t, step, self)

    def loss(self, clean_estimate: State) -> PerSample:
        """L(x̂, y) of the decoded estimate, (B,)."""
        return self.task.loss(self.score_model.decode(clean_estimate), self.measurement)

    def loss_gradient(self, x_t: State, step: Step, loss: Callable[[State], PerSample] | None = None) -> LossGradient:
        """One forward and one backward pass: ∇_{x_t} of `loss(x̂(x_t))`, by default the task's.

        The backward goes to the input only; weights must not require gradients.
        """
        with torch.enable_grad():
            x_t = x_t.detach().requires_grad_()
            prediction = self.predict(x_t, step)
            value = (loss or self.loss)(prediction.clean_estimate)
            (gradient,) = torch.autograd.grad(value.sum(), x_t)
        self.backwards += 1
        return LossGradient(prediction.detach(), value.detach(), gradient)

    def clean_loss_gradient(
        self, clean_estimate: State, loss: Callable[[State], PerSample] | None = None
    ) -> tuple[PerSample, State]:
        """L(x̂, y), (B,), and ∇_x̂ L, (B, *shape): in clean space, with no pass through the network."""
        with torch.enable_grad():
            clean_estimate = clean_estimate.detach().requires_grad_()
            value = (loss or self.loss)(clean_estimate)
            (gradient,) = torch.autograd.grad(value.sum(), clean_estimate)
        return value.detach(), gradient

    def shifted(self, prediction: Prediction, shift: State, step: Step) -> Prediction:
        """The prediction with ε + shift, and x̂ moved with it by −√((1−ā)/ā) shift; clamped where the process clamps."""
        moved = prediction.clean_estimate - math.sqrt((1.0 - step.alpha_bar) / step.alpha_bar) * shift
        return prediction.moved_to(moved.clamp(-1.0, 1.0) if self.clip_denoised else moved, step)

    def smoothed_loss(self, like: State, std: float, draws: int) -> Callable[[State], PerSample]:
        """x̂ ↦ −log (1/K Σ_k exp(−L(x̂ + std·z_k, y))), (B,), with K fixed draws; L itself where std is 0."""
        if std == 0.0:
            return self.loss
        shifts = [std * self.noise(like, Purpose.MONTE_CARLO) for _ in range(draws)]

        def loss(clean_estimate: State) -> PerSample:
            losses = torch.stack([self.loss(clean_estimate + shift) for shift in shifts])
            return math.log(draws) - torch.logsumexp(-losses, dim=0)

        return loss

    def transition(self, x_t: State, prediction: Prediction, step: Step) -> Transition:
        """The unguided step's mean and standard deviation."""
        transition = self.kernel.transition(x_t, prediction, step)
        return self.kernel.correct(
            transition, x_t, prediction, step, lambda state: self.predict(state, self.steps[step.position + 1])
        )

    def renoise(self, x_prev: State, step: Step) -> State:
        """Back up over `step` along the forward process: √(ā/ā_prev) x_prev + √(1−ā/ā_prev) z' (time travel)."""
        noise = self.noise(x_prev, Purpose.RECURRENCE)
        return (1.0 - step.beta) ** 0.5 * x_prev + step.beta**0.5 * noise

    def noise(self, like: State, purpose: Purpose = Purpose.REVERSE) -> State:
        """Fresh z ~ N(0, I) of `like`'s shape, from each sample's own stream."""
        return self.streams.normal(purpose, like.shape[1:])
