"""What a token kernel is: it decides which tokens a step unmasks, by the rates that it asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.masked.combiners.base import TokenCombiner
from dsg.masked.process import MaskedProcess
from dsg.masked.record import MaskedRecord
from dsg.masked.schedule import MaskSchedule
from dsg.masked.unmasking import draw
from dsg.models.tokens.base import LogChances, Tokens


class TokenKernel(ABC):
    """A strategy object: immutable and per sample. What a trajectory must remember is in the process's `memory`."""

    reads_speed: ClassVar[bool] = True
    """Whether the speed of the rates changes what it does; a combiner that changes it is refused elsewhere."""

    def steps(self, schedule: MaskSchedule, count: int | None, length: int) -> list[Step]:
        """The steps of L tokens; `count` is what the user asked for, None what suits the kernel.

        Raises:
            UserError: for a number that makes no sense.
        """
        return schedule.steps(length if count is None else count)

    def check(self, combiner: TokenCombiner) -> None:
        """Raise UserError if what the combiner changes would not reach the step. Called before the first sample."""
        if combiner.changes_speed and not self.reads_speed:
            raise UserError(
                f"kernel: {type(self).__name__} fixes how many tokens a step unmasks, and would not see the speed that "
                f"{type(combiner).__name__} changes; normalise it, or take TauLeaping"
            )

    @abstractmethod
    def step(self, tokens: Tokens, step: Step, process: MaskedProcess) -> MaskedRecord:
        """One step from `tokens` (B, L) at the level of `step`; nothing is masked after the last one."""

    def drawn(self, log_chances: LogChances, process: MaskedProcess) -> Tokens:
        """A token for every place, (B, L), each from its sample's own stream."""
        return draw(log_chances, process.streams.uniform(Purpose.TOKEN, log_chances.shape[1:-1]))


def survival_of(step: Step) -> float:
    """share(s)/share(t), the chance that a token stays masked over a step at unit speed."""
    return step.prev.noise_variance / step.noise_variance
