"""The loop of a masked process: a token model, a combiner and a kernel meet, and a record comes out a step.

sampler = MaskedSampler(PortraitsTokens(), combiner=ClassifierFree(guidance_scale=2.0), steps=32)
process = sampler.begin(Examples(None, {"label": labels}), NoiseStreams([SampleKey(0, "portrait")]))
for record in sampler.run(process):
    print(record.step.t, record.masked_share, record.entropy)
samples = process.decode(record.x_prev)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from dsg.data.examples import Examples
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import DoesNotFit, UserError
from dsg.masked.combiners import Conditional, TokenCombiner
from dsg.masked.kernels import TauLeaping, TokenKernel
from dsg.masked.process import MaskedProcess
from dsg.masked.record import MaskedRecord
from dsg.masked.schedule import Linear, MaskSchedule
from dsg.models.precision import full_float32
from dsg.models.tokens.base import TokenModel
from dsg.process import AnySampler
from dsg.process.sampler import Needs, refuse_inference_mode
from tasks import Generation
from tasks.base import Task


@dataclass(frozen=True)
class MaskedSampler(AnySampler):
    """Everything that is the same for every batch.

    Args:
        token_model: the frozen model.
        task: what is asked of the samples; tokens follow no loss, so that it is Generation.
        kernel: decides which tokens a step unmasks.
        steps: number of steps; None is as many as there are tokens.
        schedule: which share is masked at which time.
        combiner: turns evaluations of the model into rates, as classifier-free guidance does.

    Raises:
        UserError: for a task with a loss, a combiner or a number of steps that does not suit the model or the kernel.
    """

    token_model: TokenModel
    task: Task = field(default_factory=Generation)
    kernel: TokenKernel = field(default_factory=TauLeaping)
    steps: int | None = None
    schedule: MaskSchedule = field(default_factory=Linear)
    combiner: TokenCombiner = field(default_factory=Conditional)

    def __post_init__(self) -> None:
        if not isinstance(self.task, Generation):
            raise DoesNotFit(
                f"task: {type(self.task).__name__} asks for something by a loss, which has no gradient in tokens; take "
                "tasks.Generation"
            )
        self.kernel.steps(self.schedule, self.steps, self.token_model.length)  # or their number makes no sense
        self.combiner.check(self.token_model)
        try:
            self.kernel.check(self.combiner)
        except UserError as error:
            raise DoesNotFit(str(error)) from error

    @property
    def model(self) -> TokenModel:
        return self.token_model

    @property
    def needs(self) -> Needs:
        model = self.token_model
        return (self.combiner, self.combiner.needs(model)), (model, model.requires)

    @property
    def num_classes(self) -> int | None:
        return self.combiner.num_classes(self.token_model)

    @property
    def leads_away(self) -> bool:
        return self.combiner.needs_condition

    def networks(self) -> dict[str, Sequence[nn.Module]]:
        return {**super().networks(), "combiner": self.combiner.networks()}

    @property
    def levels(self) -> list[Step]:
        """The steps, from all masked on."""
        return self.kernel.steps(self.schedule, self.steps, self.token_model.length)

    @property
    def heaviest_step(self) -> Step:
        """One of the later half: schedules may leave the first ones unguided."""
        levels = self.levels
        return levels[len(levels) // 2]

    @torch.no_grad()
    def begin(self, examples: Examples, streams: NoiseStreams) -> MaskedProcess:
        """Let the model make its condition of `examples`: the masked process of one batch.

        An autocast that is active here is remembered for the network.

        Raises:
            UserError: under inference mode, where a classifier's gradient cannot be taken.
        """
        refuse_inference_mode()
        with torch.autocast(streams.device.type, enabled=False), full_float32():
            measurement = self.task.measurement_of(examples, streams, tuple(self.token_model.image_shape))
        condition = self.token_model.condition(examples)
        return MaskedProcess(
            self.token_model,
            self.task,
            measurement,
            streams,
            self.levels,
            self.schedule,
            self.combiner,
            None if condition is None else condition.to(streams.device),
        )

    def run(self, process: MaskedProcess) -> Iterator[MaskedRecord]:
        """The trajectory, a record a step, from tokens that are all masked."""
        tokens = self.token_model.masked(len(process.streams), process.streams.device)
        try:
            for step in process.steps:
                # entered for each step, so that neither mode leaks to whoever consumes the records
                with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
                    record = self.kernel.step(tokens, step, process)
                yield record
                tokens = record.x_prev
        finally:
            process.streams.rest()  # also where the consumer leaves, or a step fails
