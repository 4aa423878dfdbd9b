"""The only LightningModule: it wraps the sampling loop and knows nothing of how it works."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import torch
from lightning.pytorch import LightningModule
from torch import nn

from dsg.combiners import Conditional, PredictionCombiner
from dsg.command.exit_codes import is_out_of_memory
from dsg.data.base import EvaluationData
from dsg.data.batches import Batch
from dsg.data.examples import Example
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.spacing import Even, Spacing
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.models.base import ScoreModel
from dsg.models.precision import full_float32
from dsg.module.batch_result import BatchResult
from dsg.module.batch_size import does_not_fit
from dsg.module.device import moment, seconds_between, seconds_on
from dsg.module.fit import check_data, notes_on
from dsg.module.trial import Trial
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from tasks.base import Task


class StepObserver(Protocol):
    """Whoever wants to be told of each step."""

    def on_sampling_step(self, record: StepRecord, process: ReverseProcess, keys: list[SampleKey]) -> None: ...


class GuidedDiffusion(LightningModule):
    """Samples from a frozen diffusion model under guidance.

    Args:
        score_model: the frozen model: dsg.models.adm.ADM, dsg.models.diffusers.DiffusersModel,
            dsg.models.diffusers.StableDiffusion, dsg.models.network.NetworkModel, dsg.models.mixture.GaussianMixture,
            dsg.models.portraits.model.Portraits, or a class of your own.
        task: what is measured on each image, and the loss against it.
        guidance: the method.
        kernel: the reverse kernel.
        steps: number of reverse steps.
        spacing: which levels of the model's schedule the steps visit: dsg.diffusion.Even by default, or Leading,
            Trailing, IntegerStride, LogSNR, Karras, ShiftedFlow.
        clip_denoised: clamp the clean estimate to the model's range of clean states, if it has one.
        seed: of every random stream; a sample depends on (seed, image id, sample number) alone.
        combiner: turns network evaluations into one prediction, as classifier-free guidance does; by default the
            evaluation under the image's label, if it has one.
    """

    def __init__(
        self,
        score_model: ScoreModel,
        task: Task,
        guidance: Guidance,
        kernel: ReverseKernel,
        steps: int = 100,
        spacing: Spacing | None = None,
        clip_denoised: bool = True,
        seed: int = 0,
        combiner: PredictionCombiner | None = None,
    ) -> None:
        super().__init__()
        self.score_model = score_model
        self.sampler = Sampler(
            score_model, task, guidance, kernel, steps, spacing or Even(), clip_denoised, combiner or Conditional()
        )
        # registered, so that they move with the score model
        self.combiner_networks = nn.ModuleList(self.sampler.combiner.networks()).eval().requires_grad_(False)
        self.guidance_networks = nn.ModuleList(guidance.networks()).eval().requires_grad_(False)
        self.task_networks = nn.ModuleList(task.networks()).eval().requires_grad_(False)
        self.seed = seed
        self.observers: list[StepObserver] = []

    def check(self, data: EvaluationData) -> None:
        """Raise UserError if the task, the model and the data do not fit, before the first sample."""
        check_data(self.sampler, data)

    def notes(self, data: EvaluationData) -> list[str]:
        """What whoever starts an evaluation should be told, a line each."""
        return notes_on(self.sampler, data)

    def files_of(self, data: EvaluationData) -> Callable[[str, int], list[str]]:
        """(image id, sample number) → the files that the run folder holds of a finished sample of `data`."""
        return partial(self.score_model.medium.files, whole_problem=data.whole_problems)

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> BatchResult:
        """Measure the batch's examples and sample under guidance.

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
        truth = task.truth(batch.examples, self.score_model.image_shape)
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
                told = task.scores(self.score_model.medium.as_kept(samples.nan_to_num()), process.measurement)
                if (residual := task.residual(samples, process.measurement)) is not None:
                    told = {"residual": residual, **told}
            columns = {name: values.tolist() for name, values in told.items()}
            picture = self.score_model.medium.preview_measurement(task, process.measurement)
        costs = {"nfe_forward": process.forwards, "nfe_backward": process.backwards}
        if self.score_model.has_decoder:
            costs["nfe_decoder_forward"] = process.decoder_forwards
            costs["nfe_decoder_backward"] = process.decoder_backwards
            costs["nfe_encoder_forward"] = process.encoder_forwards
            costs["nfe_encoder_backward"] = process.encoder_backwards
        finite = samples.flatten(1).isfinite().all(dim=1).tolist()
        spent = seconds_on(self.device) - started
        seconds = (spent - sum(seconds_between(start, end) for start, end in watched)) / len(keys)
        rows = [
            {
                "id": key.image_id,
                "sample": key.sample,
                "loss": loss if ok else None,
                **{name: values[row] if ok else None for name, values in columns.items()},
                **costs,
                "seconds": seconds,
                "warm_up": batch_idx == 0,
                "status": "ok" if ok else "failed: the sample is not finite",
            }
            for row, (key, loss, ok) in enumerate(zip(keys, losses, finite, strict=True))
        ]
        return BatchResult(keys, batch.examples, truth, process.measurement, picture, samples, rows, batch.failures)

    def _tell(self, record: StepRecord, process: ReverseProcess, keys: list[SampleKey]) -> tuple[Any, Any]:
        """Tell the observers of a step; returns the moments between which they looked, which is no cost of the method.

        Nobody waits for the device between them: a step that is watched begins as soon as one that is not.
        """
        start = moment(self.device)
        with process.uncounted():
            for observer in self.observers:
                observer.on_sampling_step(record, process, keys)
        return start, moment(self.device)
