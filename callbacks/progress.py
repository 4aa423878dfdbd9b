"""A live bar of the images done and of the steps inside the batch."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from callbacks.base import evaluated
from dsg.diffusion.noise import SampleKey
from dsg.errors import UserError
from dsg.module import BatchResult, SamplingModule
from dsg.process import Process, Record


class SamplingProgress(ProgressBar):
    """Rank 0 shows images done, images per second, time left, and the reverse steps of the batch; without a terminal,
    a line now and then.

    What an earlier start did counts as done, not towards the images per second. Of several ranks it knows its own
    share, and takes the others to be as far.

    Args:
        interval: seconds between two lines where there is no terminal.
    """

    def __init__(self, interval: float = 30.0) -> None:
        super().__init__()
        if not interval >= 0:
            raise UserError(f"progress.interval: must be at least 0 seconds, got {interval}")
        self.interval = interval
        self._enabled = True
        self._bar: Progress | None = None

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if not (self._enabled and trainer.is_global_zero):
            return
        self._console = Console()
        data = evaluated(trainer)
        self._unit = "samples" if data.samples_per_image > 1 else "images"
        self._total, self._ranks = len(data.keys()), trainer.world_size
        self._before = self._total - trainer.predict_dataloaders.dataset.count  # type: ignore[union-attr]
        self._done = float(self._before)
        self._started = self._last_line = time.monotonic()
        if self._before:
            self._console.print(f"{self._before}/{self._total} {self._unit} were done before", highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[pace]}"), console=self._console, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._images = self._bar.add_task(self._unit, total=self._total, completed=self._before, pace="")
        self._steps = self._bar.add_task("steps".ljust(len(self._unit)), total=None, pace="")
        self._bar.start()
        pl_module.observers.append(self)

    def on_sampling_step(self, record: Record, process: Process, keys: list[SampleKey]) -> None:
        assert self._bar is not None  # it subscribed when it made one
        done, total = record.step.position + 1, record.step.total
        if done == 1:
            self._bar.reset(self._steps, total=total)
        self._bar.update(self._steps, completed=done)
        # a batch counts by its share, so that the time left is known before the first one ends
        self._show(self._done + len(keys) * self._ranks * done / total, f", step {done}/{total}")

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if self._bar is not None:
            self._done += (len(outputs.rows) + len(outputs.failures)) * self._ranks
            self._show(self._done)

    def _show(self, done: float, step: str = "") -> None:
        assert self._bar is not None
        now, done = time.monotonic(), min(done, self._total)
        rate = (done - self._before) / max(now - self._started, 1e-9)
        left = timedelta(seconds=round((self._total - done) / rate)) if rate > 0 else "unknown time"
        pace = f"{rate:.3g} {self._unit}/s, {left} left"
        self._bar.update(self._images, completed=done, pace=pace)
        if not self._console.is_terminal and now - self._last_line >= self.interval:
            self._last_line = now
            self._console.print(f"{int(done)}/{self._total} {self._unit}{step}, {pace}", highlight=False)

    def on_predict_end(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            pl_module.observers.remove(self)

    def on_exception(self, trainer: Trainer, pl_module: SamplingModule, exception: BaseException) -> None:
        self.on_predict_end(trainer, pl_module)
