"""The only LightningModule: it wraps the sampling loop and knows nothing of how the loop works."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from dsg.combiners import Conditional, PredictionCombiner
from dsg.data.base import EvaluationData, Failure, ImageBatch
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.spacing import Even, Spacing
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.run_folder.journal import Row
from dsg.sampling import Sampler
from tasks.base import Measurement, Task


class StepObserver(Protocol):
    """Whoever wants to be told of each step."""

    def on_sampling_step(self, record: StepRecord, process: ReverseProcess, keys: list[SampleKey]) -> None: ...


@dataclass
class BatchResult:
    """One batch, sampled.

    Args:
        keys: one a sample, in order.
        reference: the clean images, (B,3,H,W) in [−1, 1], or other clean states, (B, *shape).
        measurement: what was measured of them.
        picture: how that looks, (B,3,H,W); None where states are no images.
        samples: the reconstructions, like `reference`, unclipped.
        rows: one a sample; callbacks add columns to them.
        failures: images that could not be read.
    """

    keys: list[SampleKey]
    reference: Tensor
    measurement: Measurement | None
    picture: Tensor | None
    samples: Tensor
    rows: list[Row]
    failures: list[Failure]


class GuidedDiffusion(LightningModule):
    """Samples from a frozen diffusion model under guidance.

    Args:
        score_model: the frozen model: dsg.models.adm.ADM, dsg.models.diffusers.DiffusersModel,
            dsg.models.network.NetworkModel, dsg.models.mixture.GaussianMixture, dsg.models.portraits.model.Portraits,
            or a class of your own.
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
        data.bind(self.score_model)
        data.keys()  # finds what is wrong with the data itself
        shape = self.score_model.image_shape
        if data.image_shape is not None and data.image_shape != shape:
            raise UserError(
                f"data: its images are {_size(data.image_shape)} and the model's {_size(shape)}; set data.image_size, "
                "or take the model that belongs to the data"
            )
        self._check_labels(data.largest_label())
        self.sampler.task.check(shape)

    def _check_labels(self, largest: int | None) -> None:
        combiner, guidance = self.sampler.combiner, self.sampler.guidance
        classes = combiner.num_classes(self.score_model)
        if largest is None:
            for part in (combiner, guidance):
                if part.needs_condition:
                    raise UserError(
                        f"data.labels: {type(part).__name__} guides by class, and the data has none; set data.labels"
                    )
            if not self.score_model.knows_marginal:
                raise UserError(
                    f"data.labels: the model needs labels, of {classes} classes, and the data has none; set data.labels"
                )
        elif classes is None:
            raise UserError("data.labels: the model is unconditional; leave the labels out, or take another model")
        elif largest >= classes:
            raise UserError(f"data.labels: must be 0 to {classes - 1}, the model's classes, got {largest}")

    def predict_step(self, batch: ImageBatch, batch_idx: int = 0) -> BatchResult:
        """Measure the batch's images and reconstruct them."""
        keys = [SampleKey(self.seed, image_id, sample) for image_id, sample in batch.keys]
        if not keys:
            return BatchResult([], batch.images, None, batch.images, batch.images, [], batch.failures)
        started = self._now()
        process = self.sampler.begin(batch.images, NoiseStreams(keys, self.device), batch.labels)
        with torch.autocast(self.device.type, enabled=False):  # the process applies it to the network alone
            for record in self.sampler.run(process):
                for observer in self.observers:
                    observer.on_sampling_step(record, process, keys)
            samples = self.score_model.decode(record.x_prev)
            losses = self.sampler.task.loss(samples, process.measurement).tolist()
            residual = self.sampler.task.residual(samples, process.measurement)
            residuals = [{}] * len(keys) if residual is None else [{"residual": r} for r in residual.tolist()]
            picture = self.sampler.task.picture(process.measurement) if samples.ndim == 4 else None
        finite = samples.flatten(1).isfinite().all(dim=1).tolist()
        seconds = (self._now() - started) / len(keys)
        rows = [
            {
                "id": key.image_id,
                "sample": key.sample,
                "loss": loss if ok else None,
                **(left if ok else dict.fromkeys(left)),
                "nfe_forward": process.forwards,
                "nfe_backward": process.backwards,
                "seconds": seconds,
                "warm_up": batch_idx == 0,
                "status": "ok" if ok else "failed: the sample is not finite",
            }
            for key, loss, left, ok in zip(keys, losses, residuals, finite, strict=True)
        ]
        return BatchResult(keys, batch.images, process.measurement, picture, samples, rows, batch.failures)

    def _now(self) -> float:
        """Seconds on a clock that has waited for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
