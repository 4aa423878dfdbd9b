"""PSNR, SSIM and LPIPS of every sample."""

from __future__ import annotations

import sys
from typing import Any

import torch
from lightning.pytorch import Trainer

from callbacks.base import EvaluationCallback, evaluated
from dsg.data.base import EvaluationData
from dsg.data.image_file import to_uint8
from dsg.errors import UserError
from dsg.metrics.image import psnr, ssim
from dsg.metrics.perceptual import Net, load_lpips
from dsg.module import BatchResult, GuidedDiffusion


class Quality(EvaluationCallback):
    """Adds `psnr`, `ssim` and `lpips_<net>` to every row, computed on the 8-bit picture that the run folder holds.

    It is compared with what the task's `compared_with` names. Samples that are compared with nothing (tasks.Generation,
    tasks.ClassLabel) and those that are no pictures have no such columns. Where measurements were given without the
    truth, they are `unavailable`.

    Args:
        lpips: the networks to measure LPIPS with; each needs its backbone's weights on this machine. One whose weights
            are missing is listed under `unavailable` in metrics.json, with the file and the folder it wants.
        backbones: the folder with the backbones' weights; by default the torch hub's checkpoints.
    """

    def __init__(self, lpips: list[Net] | None = None, backbones: str | None = None) -> None:
        self.nets: list[Net] = ["vgg"] if lpips is None else lpips
        self.backbones = backbones
        self._lpips: dict[str, torch.nn.Module] = {}
        self._unavailable: dict[str, str] = {}
        self._without_truth: dict[str, str] = {}
        self._diverse = False

    def on_predict_start(self, trainer: Trainer, pl_module: GuidedDiffusion) -> None:
        self._load()
        self.learn(pl_module, evaluated(trainer))
        for network in self._lpips.values():
            network.to(pl_module.device)
        if trainer.is_global_zero:
            for reason in dict.fromkeys(self.summary()["unavailable"].values()):
                print(f"unavailable: {reason}", file=sys.stderr)

    def learn(self, module: GuidedDiffusion, data: EvaluationData) -> None:
        """Find out whether there is a truth: before the first sample, and where none is left to make."""
        task, names = module.sampler.task, ["psnr", "ssim", *(f"lpips_{net}" for net in self.nets)]
        without_truth = task.compared_with is not None and task.compares(data.columns()) is None
        if without_truth and module.score_model.medium.is_picture:
            reason = f"{', '.join(names)}: there is no truth to compare with; give it in data.truth, if you have it"
            self._without_truth = dict.fromkeys(names, reason)
            self._diverse = data.samples_per_image > 1

    def _load(self) -> None:
        for net in self.nets:
            name = f"lpips_{net}"
            if name in self._lpips or name in self._unavailable:
                continue
            try:
                self._lpips[name] = load_lpips(net, self.backbones)
            except UserError as reason:
                self._unavailable[name] = str(reason)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: GuidedDiffusion, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if outputs.truth is None or not pl_module.score_model.medium.is_picture:
            return
        with torch.autocast(pl_module.device.type, enabled=False):
            sample = to_uint8(outputs.samples.nan_to_num()).float() / 255
            reference = to_uint8(outputs.truth).float() / 255
            columns = {"psnr": psnr(sample, reference), "ssim": ssim(sample, reference)}
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
        # the diversity of several samples wants the networks too, so that what they lack is worth telling
        if self._diverse:
            return {"unavailable": {**self._without_truth, **self._unavailable}}
        return {"unavailable": {**self._unavailable, **self._without_truth}}
