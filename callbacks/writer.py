"""Writes pictures and rows to the run folder, batch by batch."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from safetensors.torch import save
from torch import Tensor

from callbacks.base import EvaluationCallback, evaluated
from callbacks.loggers import told
from callbacks.loggers.board import Board
from callbacks.processes.background import InBackground
from callbacks.processes.store import wait_for_others
from dsg.data.base import EvaluationData
from dsg.data.image_file import encode_png, to_uint8
from dsg.data.media import Medium
from dsg.errors import UserError
from dsg.metrics.direction import SCORES
from dsg.metrics.summary import summarise
from dsg.module import BatchResult, SamplingModule
from dsg.module.device import on_its_way
from dsg.run_folder.atomic import write_atomically
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.journal import Row

TOLD = (
    "psnr",
    "ssim",
    "lpips",
    "residual",
    "sliced_wasserstein",
    "fid",
    "kid",
    "fd",
    "kd",
)  # in the line that ends a run
AT_ONCE = 8  # files of a batch
File = tuple[Path, Callable[[], bytes]]  # where, and what is to be in it, made in the background


class RunFolderWriter(EvaluationCallback):
    """Writes each batch's pictures and rows as soon as it is sampled, while the device goes on with the next batch; at
    the end per_image.csv and metrics.json.

    Pictures come before their rows: whatever ends the run, a row in the journal has its pictures on the disk.

    Args:
        save_measurements: also write each measurement and its operator's parameters as measurements/<id>.safetensors.
    """

    metrics = ""

    def __init__(self, save_measurements: bool = False) -> None:
        self.save_measurements = save_measurements
        self._background = InBackground()
        self._board: Board | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        # after every callback that adds columns, wherever the configuration named this one
        trainer.callbacks.sort(key=lambda callback: callback is self)  # type: ignore[attr-defined]

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if sink := told(trainer):
            samples = len(evaluated(trainer).keys())
            self._board = Board(sink, RunFolder(trainer.default_root_dir), samples, trainer.world_size)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        folder = RunFolder(trainer.default_root_dir)
        medium, samples = pl_module.model.medium, _samples
        if medium.shares_file and evaluated(trainer).whole_problems:
            samples = _problems
        files = samples(folder, outputs, medium) + _pictures(folder, outputs)
        if self.save_measurements:
            files += _measurements(folder, outputs)
        for failure in outputs.failures:
            print(f"failed: {failure.image_id}: {failure.reason}", file=sys.stderr)
        failed = [{"id": f.image_id, "sample": f.sample, "status": f"failed: {f.reason}"} for f in outputs.failures]
        start = trainer.datamodule.start  # type: ignore[attr-defined]
        rows = [{**row, "start": start} for row in (*outputs.rows, *failed)]
        self._background.submit(partial(_write, folder, files, rows, trainer.global_rank))
        if self._board is not None:
            self._board.add(rows)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._background.drain()
        wait_for_others(trainer)
        self._finish(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # where the disk is full, the exception already says so
        with contextlib.suppress(UserError, OSError):
            self._background.drain()
        with contextlib.suppress(UserError, OSError):
            self._finish(trainer, interrupted=True)

    def _finish(self, trainer: Trainer, interrupted: bool = False) -> None:
        if not trainer.is_global_zero:
            return
        metrics = self.finish(trainer, interrupted)
        if self._board is not None:
            self._board.end(metrics)
        print(f"{trainer.default_root_dir}: {_in_words(metrics)}")

    def finish(
        self,
        trainer: Trainer,
        interrupted: bool = False,
        never_met: tuple[SamplingModule, EvaluationData] | None = None,
    ) -> dict[str, Any]:
        """Write per_image.csv and metrics.json; returns what the latter holds.

        An interrupted run has to end soon: it leaves out what is of all samples together, and says so.

        Args:
            trainer: whose callbacks add to the summary.
            interrupted: whether there are samples left.
            never_met: what is evaluated, and on what, where `trainer` never started, so that its callbacks do not know.
        """
        folder = RunFolder(trainer.default_root_dir)
        rows = folder.rows()
        metrics = summarise(rows)
        watching = [c for c in trainer.callbacks if isinstance(c, EvaluationCallback)]  # type: ignore[attr-defined]
        for callback in watching:
            if never_met is not None:
                callback.meet(*never_met)
            metrics |= callback.summary()
        if interrupted:
            metrics["interrupted"] = True
        else:
            for callback in watching:
                callback.complete(trainer, metrics)
        metrics["provenance"] = folder.provenance.summary(rows)
        folder.finish(metrics)
        return metrics


def _samples(folder: RunFolder, outputs: BatchResult, medium: Medium) -> list[File]:
    """A file a finite sample."""
    samples = on_its_way(outputs.samples)
    return [
        (
            folder.picture_path("samples", key.image_id, key.sample, medium.suffix),
            partial(_encoded, medium, samples, [i]),
        )
        for i, (key, row) in enumerate(zip(outputs.keys, outputs.rows, strict=True))
        if row["status"] == "ok"
    ]


def _problems(folder: RunFolder, outputs: BatchResult, medium: Medium) -> list[File]:
    """All samples of each problem in a batch as one file."""
    samples = on_its_way(outputs.samples)
    files: list[File] = []
    for image_id, group in groupby(range(len(outputs.keys)), lambda i: outputs.keys[i].image_id):
        path = folder.picture_path("samples", image_id, 0, medium.suffix)
        files.append((path, partial(_encoded, medium, samples, list(group))))
    return files


def _encoded(medium: Medium, samples: Callable[[], Tensor], rows: list[int]) -> bytes:
    return medium.encode(samples()[rows])


def _pictures(folder: RunFolder, outputs: BatchResult) -> list[File]:
    """How the measurements of a batch look, where that can be seen."""
    if outputs.picture is None:
        return []
    pictures = on_its_way(to_uint8(outputs.picture))
    return [
        (folder.picture_path("measurements", key.image_id, 0), lambda i=i: encode_png(pictures()[i]))
        for i, key in enumerate(outputs.keys)
        if key.sample == 0
    ]


def _measurements(folder: RunFolder, outputs: BatchResult) -> list[File]:
    """What was measured and what was drawn for it."""
    return [
        (folder.picture_path("measurements", key.image_id, 0, ".safetensors"), partial(save, _tensors(outputs, i)))
        for i, key in enumerate(outputs.keys)
        if key.sample == 0
    ]


def _write(folder: RunFolder, files: list[File], rows: list[Row], rank: int) -> None:
    """One batch: rows last, when what they speak of is on the disk."""
    # each file waits for the disk, and files that wait together wait once
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for written in [threads.submit(_write_file, path, content) for path, content in files]:
            written.result()
    folder.append(rows, rank)


def _write_file(path: Path, content: Callable[[], bytes]) -> None:
    write_atomically(path, content())


def _in_words(metrics: dict[str, Any]) -> str:
    """The end of a run in one line: how many images, their quality, how well they do what was asked, what failed."""
    parts = [f"{metrics['images']} images"]
    for name, value in metrics["metrics"].items():
        told = name.startswith(TOLD) or name.endswith(SCORES)
        if value["n"] and told and not name.endswith(("_best", "_worst")):
            interval = f" [{value['low']:.4g}, {value['high']:.4g}]" if "low" in value else ""
            parts.append(f"{name} {value['mean']:.4g}{interval}")
    if metrics["failures"]:
        parts.append(f"{len(metrics['failures'])} failed")
    return ", ".join(parts)


def _tensors(outputs: BatchResult, index: int) -> dict[str, Tensor]:
    assert outputs.measurement is not None
    drawn = outputs.measurement.operator.parameters()
    return {name: value[index].contiguous().cpu() for name, value in {"y": outputs.measurement.y, **drawn}.items()}
