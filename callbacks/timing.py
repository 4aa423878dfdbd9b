"""How long a sample takes, in the network and outside it, and what it costs in evaluations and memory."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning.pytorch import Trainer

from callbacks.base import EvaluationCallback, samples_done
from callbacks.loggers import told
from callbacks.network_time import MethodTime, NetworkTime
from dsg.metrics.passes import NAMES
from dsg.models.engines import engines_of
from dsg.module import BatchResult, SamplingModule
from dsg.module.device import peak_memory, reset_peak_memory
from dsg.run_folder.journal import Row


class Timing(EvaluationCallback):
    """Seconds per sample, forward and backward evaluations and peak memory, to TensorBoard and metrics.json.

    `network_seconds` is what the score model and the combiner's networks took, `decoder_seconds` and `encoder_seconds`,
    of a model of latents, what its decoder and encoder did, `other_seconds` all the rest from the start of a batch to
    that of the next: noise, the task, the step, metrics, writing, reading images. `other_share` is the latter's share
    of all. The first batch of every start (allocations, kernel selection) is kept apart: `warm_up_seconds` is its time
    per sample, and the others leave it out unless there is nothing else. Of several ranks it is the first one's time.
    What an engine says of itself is there too.
    """

    metrics = ""

    def __init__(self) -> None:
        self._summary: dict[str, Any] = {}
        self._watches: dict[str, NetworkTime | MethodTime] = {}

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        fit = getattr(getattr(trainer, "datamodule", None), "fit", None)
        if trainer.is_global_zero and fit is not None:
            print(f"memory: {fit}", file=sys.stderr)
            self._summary["activation_mib"] = fit.bytes_each / 2**20
        reset_peak_memory(pl_module.device)
        model, device = pl_module.model, pl_module.device
        self._watches = {"network": NetworkTime([model, *pl_module.combiner_networks], device)}
        if model.has_decoder:
            self._watches |= {"decoder": MethodTime(model, "decode", device)}
            self._watches |= {"encoder": MethodTime(model, "encode", device)}
        self._done = samples_done(trainer)
        self._started: float | None = None
        self._rows: list[Row] = []
        self._warm_up = True
        self._samples, self._spent = 0, dict.fromkeys([*self._watches, "other"], 0.0)

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: SamplingModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._end_batch(trainer)
        self._started = time.perf_counter()

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        self._rows = outputs.rows
        if not outputs.rows:
            return
        if outputs.rows[0]["warm_up"]:
            self._summary["warm_up_seconds"] = outputs.rows[0]["seconds"]
        memory = peak_memory(pl_module.device)
        self._done += len(outputs.rows) * trainer.world_size
        costs = {name: value for name, value in outputs.rows[0].items() if name == "seconds" or name in NAMES}
        self._tell(trainer, costs)
        if memory is None:  # nobody says, and no number is better than a wrong one
            return
        self._summary["peak_memory_mib"] = memory / 2**20
        if sink := told(trainer):
            sink.scalar("timing/peak_memory_mib", self._summary["peak_memory_mib"], self._done)

    def on_predict_end(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        self._end_batch(trainer)
        for engine in engines_of(pl_module):
            self._summary |= engine.summary()
        for watch in self._watches.values():
            watch.close()
        self._watches = {}

    def on_exception(self, trainer: Trainer, pl_module: SamplingModule, exception: BaseException) -> None:
        self.on_predict_end(trainer, pl_module)

    def _end_batch(self, trainer: Trainer) -> None:
        """Account for the time since the batch began, with all that came after its samples."""
        if not self._watches or self._started is None:
            return
        spent = {name: watch.take() for name, watch in self._watches.items()}
        spent["other"] = time.perf_counter() - self._started - sum(spent.values())
        rows, self._rows, self._started = self._rows, [], None
        if not rows:  # it could not be read, or was interrupted
            return
        if self._warm_up:  # what is measured so far counts for nothing as soon as there is more
            self._samples, self._spent = 0, dict.fromkeys(spent, 0.0)
        self._warm_up = rows[0]["warm_up"]
        self._samples += len(rows)
        self._spent = {name: self._spent[name] + seconds for name, seconds in spent.items()}
        self._summary |= {f"{name}_seconds": seconds / self._samples for name, seconds in self._spent.items()}
        self._summary["other_share"] = self._spent["other"] / sum(self._spent.values())
        self._tell(trainer, {f"{name}_seconds": seconds / len(rows) for name, seconds in spent.items()})

    def _tell(self, trainer: Trainer, per_sample: dict[str, float]) -> None:
        if sink := told(trainer):
            for name, value in per_sample.items():
                sink.scalar(f"timing/{name}_per_image", value, self._done)

    def summary(self) -> dict[str, Any]:
        return {"timing": self._summary}
