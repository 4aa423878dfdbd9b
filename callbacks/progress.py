"""A live bar of the images done and of the steps inside the batch."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dsg.errors import UserError
from dsg.module import BatchResult, GuidedDiffusion
from dsg.noise import SampleKey
from dsg.process import ReverseProcess
from dsg.trace import StepRecord


class SamplingProgress(ProgressBar):
    """Rank 0 shows images done, time left, and the reverse steps of the batch; without a terminal, a line now and then.

    Args:
        interval: seconds between two lines where there is no terminal.
    """

    def __init__(self, interval: float = 30.0) -> None:
        super().__init__()
        if interval < 0:
            raise UserError(f"progress.interval: must be at least 0 seconds, got {interval}")
        self.interval = interval
        self._console = Console()
        self._enabled = True
        self._bar: Progress | None = None

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def on_predict_start(self, trainer: Trainer, pl_module: GuidedDiffusion) -> None:
        if not (self._enabled and trainer.is_global_zero):
            return
        self._total = trainer.predict_dataloaders.dataset.count  # type: ignore[union-attr]
        self._done, self._ranks = 0, trainer.world_size
        self._started = self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TimeRemainingColumn(), console=self._console,
            disable=not self._console.is_terminal,
        )  # fmt: skip
        self._images = self._bar.add_task("images", total=self._total)
        self._steps = self._bar.add_task("steps ", total=None)
        self._bar.start()
        pl_module.observers.append(self)

    def on_sampling_step(self, record: StepRecord, process: ReverseProcess, keys: list[SampleKey]) -> None:
        assert self._bar is not None  # it subscribed when it made one
        done, total = record.step.position + 1, record.step.total
        if done == 1:
            self._bar.reset(self._steps, total=total)
        self._bar.update(self._steps, completed=done)
        # a batch counts by its share, so that the time left is known before the first one ends
        images = self._done + len(keys) * self._ranks * done / total
        self._bar.update(self._images, completed=min(images, self._total))

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if self._bar is None:
            return
        self._done += (len(outputs.rows) + len(outputs.failures)) * self._ranks
        self._bar.update(self._images, completed=min(self._done, self._total))
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line > self.interval:
            self._last_line = now
            rate = self._done / (now - self._started)
            left = max(self._total - self._done, 0) / rate
            self._console.print(f"{self._done}/{self._total} images, {rate:.2f} images/s, {left:.0f} s left")

    def on_predict_end(self, trainer: Trainer, pl_module: GuidedDiffusion) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            pl_module.observers.remove(self)

    def on_exception(self, trainer: Trainer, pl_module: GuidedDiffusion, exception: BaseException) -> None:
        self.on_predict_end(trainer, pl_module)
