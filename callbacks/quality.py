"""PSNR, SSIM and LPIPS of every sample."""

from __future__ import annotations

import sys
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from callbacks.base import EvaluationCallback
from dsg.data.base import EvaluationData
from dsg.data.image_file import to_uint8
from dsg.errors import UserError
from dsg.metrics.image import SSIM_WINDOW, psnr, ssim
from dsg.metrics.least_size import why_too_small
from dsg.metrics.perceptual import LEAST_SIDE, Net, load_lpips, missing_backbone
from dsg.models.precision import full_float32
from dsg.module import BatchResult, SamplingModule


class Quality(EvaluationCallback):
    """Adds `psnr`, `ssim` and `lpips_<net>` to every row, computed on the 8-bit picture that the run folder holds.

    It is compared with what the task's `compared_with` names. Samples that are compared with nothing (tasks.Generation,
    tasks.ClassLabel, a loss that is a network) and those that are no pictures have no such columns. A metric for which
    the model's pictures are too small is listed under `unavailable` in metrics.json, with the least size that it takes.
    Where measurements were given without the truth, all are `unavailable`.

    Args:
        lpips: the networks to measure LPIPS with; each needs its backbone's weights on this machine. One whose weights
            are missing is listed under `unavailable` in metrics.json, with the file and the folder it wants.
        backbones: the folder with the backbones' weights; by default the torch hub's checkpoints.
    """

    def __init__(self, lpips: list[Net] | None = None, backbones: str | None = None) -> None:
        self.nets: list[Net] = ["vgg"] if lpips is None else lpips
        self.backbones = backbones
        self._lpips: dict[str, torch.nn.Module] = {}
        self.metrics = ""
        self._unavailable: dict[str, str] = {}
        self._without_truth: dict[str, str] = {}
        self._diverse = False
        self._wanted = True

    def meet(self, module: SamplingModule, data: EvaluationData) -> None:
        model, task, names = module.model, module.sampler.task, [f"lpips_{net}" for net in self.nets]
        if not model.medium.is_picture:
            return
        compared = task.compared_with is not None
        self._wanted = compared or data.samples_per_image > 1  # the diversity of several samples asks the networks too
        if not self._wanted:
            return
        if compared:
            names = ["psnr", "ssim", *names]
            self.metrics = "|".join(names)
        least = {"ssim": SSIM_WINDOW} if compared else {}
        least |= {f"lpips_{net}": LEAST_SIDE[net] for net in self.nets}
        for name, side in least.items():
            if reason := why_too_small(side, model.image_shape):
                self._unavailable[name] = f"{name}: {reason}"
        for net in self.nets:
            if reason := missing_backbone(net, self.backbones):
                self._unavailable.setdefault(f"lpips_{net}", reason)
        if compared and task.compares(data.columns()) is None:
            reason = f"{', '.join(names)}: there is no truth to compare with; give it in data.truth, if you have it"
            self._without_truth = dict.fromkeys(names, reason)
            self._diverse = data.samples_per_image > 1

    def unavailable(self) -> dict[str, str]:
        # the diversity of several samples wants the networks too, so that what they lack is worth telling
        if self._diverse:
            return {**self._without_truth, **self._unavailable}
        return {**self._unavailable, **self._without_truth}

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_predict_start(trainer, pl_module)  # which loads them
        if trainer.is_global_zero:
            for reason in dict.fromkeys(self.unavailable().values()):
                print(f"unavailable: {reason}", file=sys.stderr)

    def _load(self) -> None:
        for net in self.nets if self._wanted else ():
            name = f"lpips_{net}"
            if name in self._lpips or name in self._unavailable:
                continue
            try:
                self._lpips[name] = load_lpips(net, self.backbones)
            except UserError as reason:
                self._unavailable[name] = str(reason)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if outputs.truth is None or not pl_module.model.medium.is_picture:
            return
        with torch.autocast(pl_module.device.type, enabled=False), full_float32():
            sample = to_uint8(outputs.samples.nan_to_num()).float() / 255
            reference = to_uint8(outputs.truth).float() / 255
            columns = {"psnr": psnr(sample, reference)}
            if "ssim" not in self._unavailable:
                columns["ssim"] = ssim(sample, reference)
            for name, network in self._lpips.items():
                columns[name] = network(2 * sample - 1, 2 * reference - 1)
        good = [i for i, row in enumerate(outputs.rows) if row["status"] == "ok"]
        for name, values in columns.items():
            numbers = values.tolist()
            for i in good:
                outputs.rows[i][name] = numbers[i]

    def networks(self) -> dict[str, torch.nn.Module]:
        """The LPIPS networks whose weights are there, by the name of their column."""
        self._load()
        return self._lpips

    def summary(self) -> dict[str, Any]:
        self._load()  # of a run that was never started, whoever asks
        return {"unavailable": self.unavailable()}
