"""RePaint: what was measured is put into every state, and jumps back up bring the rest into harmony with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.guidance.base import Guidance
from dsg.guidance.linear import linear_operator, require_linear
from dsg.guidance.window import check_at_least
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


@dataclass(frozen=True)
class RePaint(Guidance):
    """Lugmayr et al. 2022 (2201.09865), algorithm 1: after each step the seen part of the state is made of y anew,

        x_prev ← (I − A⁺A) x_prev + A⁺(√ā_prev y) + √(1−ā_prev) A⁺A z'

    and every `jump_length` steps are taken `resamplings` times, noised back up in between over all of them. Of a mask
    A⁺A drops what is hidden, which is the paper's; of super-resolution A⁺A is a low-pass filter, and without
    resamplings this is ILVR (Choi et al. 2021, 2108.02938); of any mask without them, Song et al. 2021 (2011.13456).

    y is taken as it is: measurement noise stays in the sample, and where A⁺ magnifies it, much of it. No backward pass.
    The published code takes 250 steps of DDPM, jumps of 10 and 10 resamplings: 2410 evaluations. As there, the last
    step stands outside of the jumps, and so do the first few that make no whole jump.

    Args:
        resamplings: how often each jump's steps are taken, at least 1; 1 never goes back.
        jump_length: steps that are gone back at once, at least 1.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that is not linear with
            Gaussian noise.
    """

    resamplings: int = 10
    jump_length: int = 10

    def __post_init__(self) -> None:
        check_at_least(self.resamplings, 1, "resamplings")
        check_at_least(self.jump_length, 1, "jump_length")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear("RePaint", task, score_model)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        prediction = process.predict(x_t, step)
        transition = process.transition(x_t, prediction, step)
        noise = process.noise(x_t)
        x_prev = transition.sample(noise)
        operator, after = linear_operator(process), step.prev
        known = after.signal * process.measurement.y
        if not step.is_last:
            known = known + after.noise * operator.forward(process.noise(x_t))
        return StepRecord(
            step, x_t, x_prev + operator.pseudo_inverse(known - operator.forward(x_prev)), prediction, transition,
            noise=noise,
        )  # fmt: skip

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        x_t = x_T
        for steps, times in self.jumps(process.steps):
            records = self._down(x_t, steps, process)
            for _ in range(times - 1):
                x_t = records[-1].x_prev
                for step in reversed(steps):
                    x_t = process.renoise(x_t, step)
                records = self._down(x_t, steps, process)
            yield from records
            x_t = records[-1].x_prev

    def jumps(self, steps: Sequence[Step]) -> Iterator[tuple[Sequence[Step], int]]:
        """Steps that are taken together, and how often."""
        inside = (len(steps) - 1) // self.jump_length * self.jump_length
        first = len(steps) - 1 - inside
        if first > 0:
            yield steps[:first], 1
        for start in range(first, len(steps) - 1, self.jump_length):
            yield steps[start : start + self.jump_length], self.resamplings
        yield steps[-1:], 1

    def _down(self, x_t: State, steps: Sequence[Step], process: ReverseProcess) -> list[StepRecord]:
        records = []
        for step in steps:
            records.append(self.step(*process.enter(x_t, step), process))
            x_t = records[-1].x_prev
        return records
