"""What a guidance method is: from a state to the next one, or a whole trajectory of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from torch import nn

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


class Guidance(ABC):
    """A strategy object: immutable, without step state, and per sample everywhere.

    Subclasses write `step`; one that owns its trajectory overrides `sample`, and enters a step by `process.enter`
    before it asks the kernel.
    """

    needs_condition = False
    """Whether every example has to come with what the model makes a condition of, such as a class label."""

    needs_signal = False
    """Whether it divides by √ā, so that it cannot start from noise alone (ā = 0)."""

    needs_correction = False
    """Whether its step is measured by what a combiner adds to a weak prediction, as classifier-free guidance does."""

    asks_kernel = True
    """Whether the kernel takes its steps; one that raises levels does so for such a method."""

    own_prediction = False
    """Whether it asks no combiner, and steps from a prediction of its own."""

    def networks(self) -> tuple[nn.Module, ...]:
        """Frozen modules besides the score model; they move to its device with it."""
        return ()

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        """Raise UserError if the method cannot run with these. Called before the first sample."""

    @abstractmethod
    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        """One reverse step from `x_t`, (B, *shape), a state at the level of `step`."""

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        """The trajectory from `x_T`, a record a step; the last record's `x_prev` is the sample."""
        x_t = x_T
        for step in process.steps:
            record = self.step(*(process.enter(x_t, step) if self.asks_kernel else (x_t, step)), process)
            yield record
            x_t = record.x_prev


class Unguided(Guidance):
    """The reverse process alone: x_prev = μ + σ z."""

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        prediction = process.predict(x_t, step)
        transition = process.transition(x_t, prediction, step)
        noise = process.noise(x_t)
        return StepRecord(step, x_t, transition.sample(noise), prediction, transition, noise=noise)


class PredictionGuidance(Guidance):
    """Guidance that changes the prediction which the kernel steps from, at every evaluation of the step."""

    @abstractmethod
    def guide(self, prediction: Prediction, x_t: State, step: Step, process: ReverseProcess) -> Prediction:
        """The guided prediction from the network's, at `x_t`.

        x̂ moves by `process.with_estimate`, so that every kernel sees it.
        """

    def predict(self, x_t: State, step: Step, process: ReverseProcess) -> tuple[Prediction, Prediction]:
        """The network's prediction and the guided one."""
        prediction = process.predict(x_t, step)
        return prediction, self.guide(prediction, x_t, step, process)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        prediction, guided = self.predict(x_t, step, process)
        transition = process.transition(x_t, guided, step, lambda x, at: self.predict(x, at, process)[1])
        noise = process.noise(x_t)
        unguided = process.unguided_transition(x_t, prediction, step, transition)
        return StepRecord(step, x_t, transition.sample(noise), prediction, unguided, noise=noise)


class LossGuidance(Guidance):
    """Guidance by the gradient of a loss, in three choices:

    - `gradient`: where it comes from;
    - `update`: how it becomes a step;
    - `is_guided` and `repeats`: how often it is taken. Unguided steps are ordinary steps and build no graph.
    """

    def is_guided(self, step: Step) -> bool:
        """Whether the gradient is taken on this step."""
        return True

    def in_window(self, step: Step) -> bool:
        """Whether the step is one of those that the method guides, whatever its strength: what it shares with a step
        rule over its gradient."""
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
        noise = process.noise(x_t)
        x_prev, transition = self.guided_step(guide, x_t, step, process, noise)
        return StepRecord(
            step, x_t, x_prev, guide.prediction, transition, guide.loss, guide.gradient, guide.kind, noise
        )  # fmt: skip

    def guided_step(
        self, guide: LossGradient, x_t: State, step: Step, process: ReverseProcess, noise: State
    ) -> tuple[State, Transition]:
        """x_prev and the unguided transition: here the kernel's step with z = `noise`, and then `update`."""
        transition = process.transition(x_t, guide.prediction, step)
        guided = GuidedStep(step, x_t, guide, transition, noise)
        return self.update(guided, process), transition

    def repeated_step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        """The step as often as `repeats` says, with time travel in between: the last one's record.

        Time travel goes up to the level of `step`, from where the kernel raises it as it did before.
        """
        record = self.step(*process.enter(x_t, step), process)
        for _ in range(self.repeats(step) - 1 if self.is_guided(record.step) else 0):
            record = self.step(*process.enter(process.renoise(record.x_prev, step), step), process)
        return record

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        x_t = x_T
        for step in process.steps:
            record = self.repeated_step(x_t, step, process)
            yield record
            x_t = record.x_prev


class EstimateGuidance(LossGuidance):
    """Loss guidance that moves the prediction, not the state: the gradient is taken at every evaluation of the step."""

    @abstractmethod
    def moved(self, guide: LossGradient, step: Step, process: ReverseProcess) -> Prediction:
        """The guided prediction, from the gradient and the network's own."""

    def guided_step(
        self, guide: LossGradient, x_t: State, step: Step, process: ReverseProcess, noise: State
    ) -> tuple[State, Transition]:
        transition = process.transition(
            x_t, self.moved(guide, step, process), step,
            lambda x, at: self.moved(self.gradient(x, at, process), at, process),
        )  # fmt: skip
        return transition.sample(noise), process.unguided_transition(x_t, guide.prediction, step, transition)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        raise TypeError(f"{type(self).__name__} moves the prediction; call `guided_step`")
