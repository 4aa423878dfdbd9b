"""Where along the trajectory the state leaves the noisy data manifold, for models whose density is known."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import torch
from lightning.pytorch import Trainer
from safetensors.torch import save
from torch import Tensor

from callbacks.base import EvaluationCallback
from dsg.data.base import EvaluationData
from dsg.diffusion.noise import SampleKey
from dsg.errors import UserError
from dsg.metrics.manifold import TypicalSet
from dsg.models.mixture import GaussianMixture
from dsg.module import BatchResult, GuidedDiffusion, SamplingModule
from dsg.process import Process, Record
from dsg.run_folder.atomic import write_atomically
from dsg.run_folder.folder import RunFolder


class Manifold(EvaluationCallback):
    """Measures z, how untypical the state after each step is under p_t, in standard deviations of −log p_t.

    `off_manifold` of a sample is the root of its mean square over the steps: about 1 for the unguided sampler. Whole
    curves go to manifold/<id>.safetensors as `z`, (samples, steps), with `alpha_bar`, (steps,).

    Raises:
        UserError: before the first sample, for a process that is no Gaussian one, or a score model that is no Gaussian
            mixture.
    """

    metrics = "off_manifold"

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        if not isinstance(module, GuidedDiffusion):
            raise UserError(
                f"callbacks.manifold: follows a Gaussian path, and {type(module).__name__} takes none; leave it out"
            )
        if not isinstance(module.model, GaussianMixture):
            raise UserError(
                f"callbacks.manifold: the density of {type(module.model).__name__} is not known; "
                "set model.score_model to a GaussianMixture, or callbacks.manifold to null"
            )

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        assert isinstance(pl_module.model, GaussianMixture)  # checked
        self._typical = TypicalSet(pl_module.model)
        self._curve: list[Tensor] = []
        self._levels: list[float] = []
        pl_module.observers.append(self)

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: SamplingModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._curve, self._levels = [], []  # of a trajectory of one record too, which has no first step

    def on_sampling_step(self, record: Record, process: Process, keys: list[SampleKey]) -> None:
        if record.step.index == record.step.total - 1:
            self._curve, self._levels = [], []
        self._curve.append(self._typical.deviation(record.x_prev, record.step.prev.alpha_bar))
        self._levels.append(record.step.prev.alpha_bar)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        curves = torch.stack(self._curve, dim=1).cpu()
        for row, value in zip(outputs.rows, curves.square().mean(1).sqrt().tolist(), strict=True):
            if row["status"] == "ok":
                row["off_manifold"] = value
        folder = RunFolder(trainer.default_root_dir)
        for image_id, group in groupby(range(len(outputs.keys)), lambda i: outputs.keys[i].image_id):
            rows = list(group)
            path = folder.picture_path("manifold", image_id, outputs.keys[rows[0]].sample, ".safetensors")
            write_atomically(path, save({"z": curves[rows].float(), "alpha_bar": torch.tensor(self._levels)}))

    def on_predict_end(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if self in pl_module.observers:
            pl_module.observers.remove(self)

    def on_exception(self, trainer: Trainer, pl_module: SamplingModule, exception: BaseException) -> None:
        self.on_predict_end(trainer, pl_module)
