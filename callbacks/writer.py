"""Writes pictures and rows to the run folder, batch by batch."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
from itertools import groupby
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from safetensors.torch import save
from torch import Tensor

from callbacks.base import EvaluationCallback, tensorboard
from dsg.atomic import write_atomically
from dsg.data.image_file import encode_image
from dsg.errors import UserError
from dsg.metrics.summary import summarise
from dsg.module import BatchResult
from dsg.results import RunFolder

TOLD = ("psnr", "ssim", "lpips", "sliced_wasserstein", "fid", "kid", "fd", "kd")  # in the line that ends a run


class RunFolderWriter(EvaluationCallback):
    """Writes each batch's pictures and rows as soon as it is sampled; at the end per_image.csv and metrics.json.

    Pictures come before their rows: whatever ends the run, a row in the journal has its pictures on the disk.

    Args:
        save_measurements: also write each measurement and its operator's parameters as measurements/<id>.safetensors.
    """

    def __init__(self, save_measurements: bool = False) -> None:
        self.save_measurements = save_measurements

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # after every callback that adds columns, wherever the configuration named this one
        trainer.callbacks.sort(key=lambda callback: callback is self)  # type: ignore[attr-defined]

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning only notes SIGTERM while it predicts; a job that is pre-empted has to end now, as by Ctrl-C
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        folder = RunFolder(trainer.default_root_dir)
        if outputs.picture is None:
            self._write_states(folder, outputs)
        else:
            self._write_pictures(folder, outputs, outputs.picture)
        if self.save_measurements:
            for i, key in enumerate(outputs.keys):
                if key.sample == 0:
                    path = folder.picture_path("measurements", key.image_id, 0, ".safetensors")
                    write_atomically(path, save(_tensors(outputs, i)))
        for failure in outputs.failures:
            print(f"failed: {failure.image_id}: {failure.reason}", file=sys.stderr)
        failed = [{"id": f.image_id, "sample": f.sample, "status": f"failed: {f.reason}"} for f in outputs.failures]
        folder.append([*outputs.rows, *failed], trainer.global_rank)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.strategy.barrier()
        self._finish(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # where the disk is full, the exception already says so
        with contextlib.suppress(UserError, OSError):
            self._finish(trainer, interrupted=True)

    def _finish(self, trainer: Trainer, interrupted: bool = False) -> None:
        if not trainer.is_global_zero:
            return
        metrics = self.finish(trainer, interrupted)
        if writer := tensorboard(trainer):
            for name, value in metrics["metrics"].items():
                if value["n"]:
                    writer.add_scalar(f"metrics/{name}", value["mean"], metrics["images"])
        print(f"{trainer.default_root_dir}: {_in_words(metrics)}")

    def finish(self, trainer: Trainer, interrupted: bool = False) -> dict[str, Any]:
        """Write per_image.csv and metrics.json; returns what the latter holds.

        An interrupted run has to end soon: it leaves out what is of all samples together, and says so.
        """
        folder = RunFolder(trainer.default_root_dir)
        metrics = summarise(folder.rows())
        watching = [c for c in trainer.callbacks if isinstance(c, EvaluationCallback)]  # type: ignore[attr-defined]
        for callback in watching:
            metrics |= callback.summary()
        if interrupted:
            metrics["interrupted"] = True
        else:
            for callback in watching:
                callback.complete(trainer, metrics)
        folder.finish(metrics)
        return metrics

    def _write_pictures(self, folder: RunFolder, outputs: BatchResult, pictures: Tensor) -> None:
        for i, (key, row) in enumerate(zip(outputs.keys, outputs.rows, strict=True)):
            if row["status"] == "ok":
                self._write(folder, "samples", key.image_id, key.sample, outputs.samples[i])
            if key.sample == 0:
                self._write(folder, "measurements", key.image_id, 0, pictures[i])

    def _write_states(self, folder: RunFolder, outputs: BatchResult) -> None:
        """The samples of each problem in this batch as one file, named as the first of them."""
        for image_id, group in groupby(range(len(outputs.keys)), lambda i: outputs.keys[i].image_id):
            rows = list(group)
            path = folder.picture_path("samples", image_id, outputs.keys[rows[0]].sample, ".safetensors")
            write_atomically(path, save({"samples": outputs.samples[rows].cpu()}))

    def _write(self, folder: RunFolder, kind: str, image_id: str, sample: int, image: Tensor) -> None:
        buffer = io.BytesIO()
        encode_image(image).save(buffer, format="PNG")
        write_atomically(folder.picture_path(kind, image_id, sample), buffer.getvalue())


def _in_words(metrics: dict[str, Any]) -> str:
    """The end of a run in one line: how many images, their quality, and what failed."""
    parts = [f"{metrics['images']} images"]
    for name, value in metrics["metrics"].items():
        if value["n"] and name.startswith(TOLD) and not name.endswith(("_best", "_worst")):
            interval = f" [{value['low']:.4g}, {value['high']:.4g}]" if "low" in value else ""
            parts.append(f"{name} {value['mean']:.4g}{interval}")
    if metrics["failures"]:
        parts.append(f"{len(metrics['failures'])} failed")
    return ", ".join(parts)


def _tensors(outputs: BatchResult, index: int) -> dict[str, Tensor]:
    assert outputs.measurement is not None
    drawn = outputs.measurement.operator.parameters()
    return {name: value[index].contiguous().cpu() for name, value in {"y": outputs.measurement.y, **drawn}.items()}
