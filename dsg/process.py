"""The reverse process of one batch: all that a guidance method may ask for, with every network evaluation counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.kernels import Prediction, ReverseKernel, Transition
from dsg.models.base import ScoreModel
from dsg.noise import NoiseStreams, Purpose
from dsg.schedule import Step
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


class ReverseProcess:
    """A score model, a task's measurement and a kernel, bound for one batch.

    An autocast that is active where this is made applies to the network alone; norms, losses and steps are float32.

    Args:
        score_model: the frozen model.
        task: gives the loss.
        measurement: what `task` measured of this batch.
        kernel: turns predictions into transitions.
        streams: the batch's random streams.
        condition: class labels (B,), or None.
        clip_denoised: clamp x̂ to [−1, 1].
    """

    def __init__(
        self,
        score_model: ScoreModel,
        task: Task,
        measurement: Measurement,
        kernel: ReverseKernel,
        streams: NoiseStreams,
        condition: Tensor | None = None,
        clip_denoised: bool = True,
    ) -> None:
        self.score_model = score_model
        self.task = task
        self.measurement = measurement
        self.kernel = kernel
        self.streams = streams
        self.condition = condition
        self.clip_denoised = clip_denoised
        self.forwards = 0  # network evaluations, and
        self.backwards = 0  # backward passes through it, of every sample of the batch
        device = streams.device.type
        self._autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    def predict(self, x_t: State, step: Step) -> Prediction:
        """One network evaluation: x̂ and ε at `x_t`, float32."""
        self.forwards += 1
        device, dtype, enabled = self._autocast
        with torch.autocast(device, dtype, enabled=enabled):
            output = self.score_model(x_t, step, self.condition)
        with torch.autocast(device, enabled=False):
            return Prediction.from_output(output, x_t, step, self.clip_denoised)

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

    def transition(self, x_t: State, prediction: Prediction, step: Step) -> Transition:
        """The unguided step's mean and standard deviation."""
        return self.kernel.transition(x_t, prediction, step)

    def noise(self, like: State, purpose: Purpose = Purpose.REVERSE) -> State:
        """Fresh z ~ N(0, I) of `like`'s shape, from each sample's own stream."""
        return self.streams.normal(purpose, like.shape[1:])
