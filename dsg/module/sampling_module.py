"""What every LightningModule here does: it wraps a sampler's loop and knows nothing of how it works."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Protocol

import torch
from lightning.pytorch import LightningModule
from torch import nn

from dsg.command.exit_codes import is_out_of_memory
from dsg.data.base import EvaluationData
from dsg.data.batches import Batch
from dsg.data.examples import Example
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.models.frozen import FrozenModel
from dsg.models.precision import full_float32
from dsg.module.batch_result import BatchResult
from dsg.module.batch_size import does_not_fit
from dsg.module.device import moment, seconds_between, seconds_on
from dsg.module.fit import check_data, notes_on
from dsg.module.trial import Trial
from dsg.process import AnySampler, Process, Record


class StepObserver(Protocol):
    """Whoever wants to be told of each step."""

    def on_sampling_step(self, record: Record, process: Process, keys: list[SampleKey]) -> None: ...


class SamplingModule(LightningModule):
    """Samples from a frozen model, batch by batch. Subclasses say by their arguments what a configuration may set.

    Args:
        sampler: of what kind of process, and how.
        seed: of every random stream; a sample depends on (seed, image id, sample number) alone.
    """

    def __init__(self, sampler: AnySampler, seed: int) -> None:
        super().__init__()
        self.sampler = sampler
        networks = {who: nn.ModuleList(of).eval().requires_grad_(False) for who, of in sampler.networks().items()}
        # registered, so that they move with the model
        self.combiner_networks, self.guidance_networks = networks["combiner"], networks["guidance"]
        self.task_networks = networks["task"]
        self.seed = seed
        self.observers: list[StepObserver] = []

    model_name: ClassVar[str]
    """The argument, and attribute, that is the frozen model."""

    @property
    def model(self) -> FrozenModel:
        """The frozen model, which a subclass registers under a name that says what it is."""
        return self.sampler.model

    def check(self, data: EvaluationData) -> None:
        """Raise UserError if the task, the model and the data do not fit, before the first sample."""
        check_data(self.sampler, data)

    def notes(self, data: EvaluationData) -> list[str]:
        """What whoever starts an evaluation should be told, a line each."""
        return notes_on(self.sampler, data)

    def files_of(self, data: EvaluationData) -> Callable[[str, int], list[str]]:
        """(image id, sample number) → the files that the run folder holds of a finished sample of `data`."""
        return partial(self.model.medium.files, whole_problem=data.whole_problems)

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> BatchResult:
        """Measure the batch's examples and sample.

        Raises:
            UserError: if the device has not the memory for it; names the largest batch for which it has.
        """
        try:
            return self._sampled(batch, batch_idx)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        raise UserError(self._too_large(batch))  # here, where the error no longer holds what the batch took

    def _too_large(self, batch: Batch) -> str:
        columns = {name: values[0] for name, values in batch.examples.columns.items()}
        example = Example(None if batch.examples.images is None else batch.examples.images[0], columns)
        samples = 1
        with suppress(RuntimeError, AttributeError):  # of a module without a trainer, or with another's data
            data = self.trainer.datamodule.data  # type: ignore[attr-defined]
            samples = data.samples_per_image if data.whole_problems else 1
        return does_not_fit(Trial(self.sampler, example, self.device, samples), len(batch.keys) // samples)

    def _sampled(self, batch: Batch, batch_idx: int) -> BatchResult:
        keys = [SampleKey(self.seed, image_id, sample) for image_id, sample in batch.keys]
        if not keys:
            return BatchResult([], batch.examples, None, None, None, torch.empty(0), [], batch.failures)
        task = self.sampler.task
        truth = task.truth(batch.examples, self.model.image_shape)
        started = seconds_on(self.device)
        process = self.sampler.begin(batch.examples, NoiseStreams(keys, self.device))
        watched: list[tuple[Any, Any]] = []
        with torch.autocast(self.device.type, enabled=False):  # the process applies it to the network alone
            for record in self.sampler.run(process):
                if self.observers:
                    watched.append(self._tell(record, process, keys))
            samples = process.decode(record.x_prev)
            with full_float32():
                losses = task.loss(samples, process.measurement).tolist()
                told = task.scores(self.model.medium.as_kept(samples.nan_to_num()), process.measurement)
                if (residual := task.residual(samples, process.measurement)) is not None:
                    told = {"residual": residual, **told}
            columns = {name: values.tolist() for name, values in told.items()}
            picture = self.model.medium.preview_measurement(task, process.measurement)
        finite = (samples.flatten(1).isfinite().all(dim=1) & process.finite).tolist()
        spent = seconds_on(self.device) - started
        seconds = (spent - sum(seconds_between(start, end) for start, end in watched)) / len(keys)
        rows = [
            {
                "id": key.image_id,
                "sample": key.sample,
                "loss": loss if ok else None,
                **{name: values[row] if ok else None for name, values in columns.items()},
                **process.costs(),
                "seconds": seconds,
                "warm_up": batch_idx == 0,
                "status": "ok" if ok else "failed: the sample is not finite",
            }
            for row, (key, loss, ok) in enumerate(zip(keys, losses, finite, strict=True))
        ]
        return BatchResult(keys, batch.examples, truth, process.measurement, picture, samples, rows, batch.failures)

    def _tell(self, record: Record, process: Process, keys: list[SampleKey]) -> tuple[Any, Any]:
        """Tell the observers of a step; returns the moments between which they looked, which is no cost of the method.

        Nobody waits for the device between them: a step that is watched begins as soon as one that is not.
        """
        start = moment(self.device)
        with process.uncounted():
            for observer in self.observers:
                observer.on_sampling_step(record, process, keys)
        return start, moment(self.device)
