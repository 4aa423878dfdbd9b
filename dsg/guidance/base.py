"""What a guidance method is: from a state to the next one, or a whole trajectory of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from torch import nn

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.schedule import Step
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


class Guidance(ABC):
    """A strategy object: immutable, without step state, and per sample everywhere.

    Subclasses write `step`; one that owns its trajectory overrides `sample`.
    """

    needs_labels = False  # whether every image has to come with a class label

    def networks(self) -> tuple[nn.Module, ...]:
        """Frozen modules besides the score model; they move to its device with it."""
        return ()

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        """Raise UserError if the method cannot run with these. Called before the first sample."""

    @abstractmethod
    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        """One reverse step from `x_t`, (B, *shape)."""

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        """The trajectory from `x_T`, a record a step; the last record's `x_prev` is the sample."""
        x_t = x_T
        for step in process.steps:
            record = self.step(x_t, step, process)
            yield record
            x_t = record.x_prev


class Unguided(Guidance):
    """The reverse process alone: x_prev = μ + σ z."""

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        prediction = process.predict(x_t, step)
        transition = process.transition(x_t, prediction, step)
        x_prev = transition.sample(process.noise(x_t))
        return StepRecord(step, x_t, x_prev, prediction, transition)


class LossGuidance(Guidance):
    """Guidance by the gradient of a loss, in three choices:

    - `gradient`: where it comes from;
    - `update`: how it becomes a step;
    - `is_guided` and `repeats`: how often it is taken. Unguided steps are ordinary steps and build no graph.
    """

    def is_guided(self, step: Step) -> bool:
        """Whether the gradient is taken on this step."""
        return True

    def repeats(self, step: Step) -> int:
        """How often a guided step is taken; above 1, the state is noised up again in between (time travel)."""
        return 1

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """∇_{x_t} L(x̂(x_t), y), by default through the network at the clean estimate."""
        return process.loss_gradient(x_t, step)

    @abstractmethod
    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        """x_prev, (B, *shape), from the unguided transition, its noise z and the gradient g."""

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        if not self.is_guided(step):
            return Unguided().step(x_t, step, process)
        guide = self.gradient(x_t, step, process)
        transition = process.transition(x_t, guide.prediction, step)
        guided = GuidedStep(step, x_t, guide, transition, process.noise(x_t))
        x_prev = self.update(guided, process)
        return StepRecord(step, x_t, x_prev, guide.prediction, transition, guide.loss, guide.gradient)

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        x_t = x_T
        for step in process.steps:
            record = self.step(x_t, step, process)
            for _ in range(self.repeats(step) - 1 if self.is_guided(step) else 0):
                record = self.step(process.renoise(record.x_prev, step), step, process)
            yield record
            x_t = record.x_prev
