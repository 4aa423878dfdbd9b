"""The masked process of one batch: all that a kernel and a combiner may ask for, with every evaluation counted."""

from __future__ import annotations

from collections.abc import Sequence

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams
from dsg.masked.combiners.base import TokenCombiner
from dsg.masked.schedule import MaskSchedule
from dsg.masked.unmasking import Moment, Unmasking
from dsg.models.tokens.base import LogChances, TokenModel, Tokens
from dsg.process import Process
from tasks.base import Measurement, Task


class MaskedProcess(Process):
    """A token model and a combiner, bound for one batch.

    Args:
        token_model: the frozen model.
        task: what results are compared with, if anything.
        measurement: what `task` measured of this batch.
        streams: the batch's random streams.
        steps: the steps, from all masked on.
        schedule: which share is masked at which time.
        combiner: turns evaluations of the model into rates.
        condition: what the model is told besides the tokens, or None.
    """

    def __init__(
        self,
        token_model: TokenModel,
        task: Task,
        measurement: Measurement,
        streams: NoiseStreams,
        steps: Sequence[Step],
        schedule: MaskSchedule,
        combiner: TokenCombiner,
        condition: Condition | None = None,
    ) -> None:
        super().__init__(token_model, task, measurement, streams, steps, condition)
        self.token_model = token_model
        self.schedule = schedule
        self.combiner = combiner

    def evaluate(self, tokens: Tokens, condition: Condition | None) -> LogChances:
        """One evaluation of the model under `condition`: log p(x_i = v | x_t, c), float32 or better."""
        with self.evaluation():
            return self.token_model(tokens, condition)

    def unmasking(self, tokens: Tokens, moment: Moment) -> Unmasking:
        """The rates at `tokens`, as the combiner has them: one evaluation, or as many as it takes.

        Tokens are whole numbers whatever the network says, so that a sample of which it once said no chances is noted
        in `finite`. It goes on with equal ones, to its end, without anybody waiting for the device.
        """
        unmasking = self.combiner.unmasking(tokens, moment, self)
        said = unmasking.is_said
        self.finite = self.finite & (said | (tokens != self.token_model.mask)).all(1)
        return unmasking.equal_unless(said)
