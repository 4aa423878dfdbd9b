"""The sampling loop: a score model, a task and a guidance meet, and a record comes out a step.

sampler = Sampler(Portraits(), RandomInpainting(), DSG(guidance_rate=0.2))
process = sampler.begin(Examples(images), NoiseStreams([SampleKey(0, "portrait")]))
for record in sampler.run(process):
    print(record.step.t, record.loss, record.shell_ratio)
samples = record.x_prev
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from dsg.combiners import Conditional, PredictionCombiner
from dsg.combiners.base import columns_of_condition
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM, ReverseKernel
from dsg.diffusion.kernels.base import refuse_noise_alone
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.diffusion.spacing import Even, Spacing
from dsg.errors import DoesNotFit, UserError
from dsg.guidance.base import Guidance, LossGuidance
from dsg.models.base import ScoreModel
from dsg.models.precision import full_float32
from dsg.process import AnySampler, ReverseProcess
from dsg.process.sampler import Needs, refuse_inference_mode
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


@dataclass(frozen=True)
class Sampler(AnySampler):
    """Everything that is the same for every batch.

    Args:
        score_model: the frozen model.
        task: what is measured.
        guidance: the method.
        kernel: the reverse kernel.
        steps: number of reverse steps.
        spacing: which levels of the model's schedule they visit.
        clip_denoised: clamp x̂ to the model's range of clean states, if it has one.
        combiner: turns network evaluations into one prediction, as classifier-free guidance does.
    """

    score_model: ScoreModel
    task: Task
    guidance: Guidance
    kernel: ReverseKernel = field(default_factory=DDIM)
    steps: int = 100
    spacing: Spacing = field(default_factory=Even)
    clip_denoised: bool = True
    combiner: PredictionCombiner = field(default_factory=Conditional)

    def __post_init__(self) -> None:
        levels = self.levels  # a mistake in the spacing is no method that does not fit
        try:
            self.guidance.check(self.kernel, self.task, self.score_model)
            self._check_guidance(levels)
        except UserError as error:
            raise DoesNotFit(str(error)) from error
        self._check_times(levels)
        self.combiner.check(self.score_model, self.kernel)
        if self.combiner.needs_signal:
            refuse_noise_alone(f"combiner: {type(self.combiner).__name__}", levels)
        self.kernel.check(self.score_model.learns_variance, levels)

    @property
    def model(self) -> ScoreModel:
        return self.score_model

    @property
    def needs(self) -> Needs:
        model, guidance = self.score_model, self.guidance
        of_guidance = columns_of_condition(model) if guidance.needs_condition else frozenset()
        return (self.combiner, self.combiner.needs(model)), (guidance, of_guidance), (model, model.requires)

    @property
    def num_classes(self) -> int | None:
        return self.combiner.num_classes(self.score_model)

    @property
    def leads_away(self) -> bool:
        return self.combiner.needs_condition

    def networks(self) -> dict[str, Sequence[nn.Module]]:
        return {**super().networks(), "combiner": self.combiner.networks(), "guidance": self.guidance.networks()}

    @property
    def heaviest_step(self) -> Step:
        """A step that is guided, if any is: of the later half, for combiners and methods may leave the first ones
        alone."""
        levels = self.levels
        late_first = levels[len(levels) // 2 :] + levels[: len(levels) // 2]
        if isinstance(self.guidance, LossGuidance):
            return next((step for step in late_first if self.guidance.is_guided(step)), late_first[0])
        return late_first[0]

    @property
    def levels(self) -> list[Step]:
        """The reverse steps, noisiest first."""
        return self.spacing.steps(self.score_model.schedule, self.steps)

    def _check_times(self, levels: Sequence[Step]) -> None:
        asked = levels if self.guidance.asks_kernel else ()
        raised = [self.kernel.raised(step, self.score_model.schedule) for step in asked]  # or the schedule has no such
        if not self.score_model.whole_timesteps:
            return
        if between := [level.t for level in levels if level.t != int(level.t)]:
            raise UserError(
                f"spacing: {type(self.spacing).__name__} visits t = {between[0]:g}, and the network knows whole "
                "timesteps alone; take Even, Leading, Trailing or IntegerStride"
            )
        if between := [level.t for level in raised if level.t != int(level.t)]:
            raise UserError(
                f"kernel: {type(self.kernel).__name__} steps from t = {between[0]:g}, and the network knows whole "
                "timesteps alone; let it take those (of Churn, set rounds to true)"
            )

    def _check_guidance(self, levels: Sequence[Step]) -> None:
        name = type(self.guidance).__name__
        if self.guidance.needs_signal:
            refuse_noise_alone(name, levels)
        if self.guidance.needs_correction and not self.combiner.corrects:
            raise UserError(
                f"{name}: its rule measures the step by what a combiner adds to the unconditional prediction, and "
                f"{type(self.combiner).__name__} adds nothing; set model.combiner to ClassifierFree with a "
                "guidance_scale other than 1, or take another rule"
            )
        if self.guidance.own_prediction and not isinstance(self.combiner, Conditional):
            raise UserError(
                f"{name} steps from a prediction of its own and would not ask {type(self.combiner).__name__}; leave "
                "model.combiner out"
            )

    @torch.no_grad()
    def begin(self, examples: Examples, streams: NoiseStreams) -> ReverseProcess:
        """Measure `examples`, unless they bring a measurement, and let the score model make its condition of them: the
        reverse process of one batch.

        An autocast that is active here is remembered for the network; the measurement is made without it.

        Raises:
            UserError: under inference mode, where no gradient can be taken.
        """
        refuse_inference_mode()
        with torch.autocast(streams.device.type, enabled=False), full_float32():
            measurement = self.task.measurement_of(examples, streams, tuple(self.score_model.image_shape))
        condition = self.score_model.condition(examples)
        return ReverseProcess(
            self.score_model,
            self.task,
            measurement,
            self.kernel,
            streams,
            self.levels,
            None if condition is None else condition.to(streams.device),  # once, and not in each step
            self.clip_denoised,
            self.combiner,
        )

    def run(self, process: ReverseProcess, x_T: State | None = None) -> Iterator[StepRecord]:
        """The trajectory, a record a step, from `x_T` or, by default, each sample's own initial noise."""
        try:
            if x_T is None:
                x_T = process.streams.normal(Purpose.INITIAL, self.score_model.shape)
            trajectory = self.guidance.sample(x_T, process)
            while True:
                # entered for each step, so that neither mode leaks to whoever consumes the records
                with torch.no_grad(), torch.autocast(x_T.device.type, enabled=False):
                    record = next(trajectory, None)
                if record is None:
                    return
                yield record
        finally:
            process.streams.rest()  # also where the consumer leaves, or a step fails
