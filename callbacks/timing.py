"""How long a sample takes, in the network and outside it, and what it costs in evaluations and memory."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Trainer

from callbacks.base import EvaluationCallback, samples_done, tensorboard
from callbacks.network_time import NetworkTime
from dsg.module import BatchResult, GuidedDiffusion
from dsg.module.device import peak_memory, reset_peak_memory
from dsg.run_folder.journal import Row


class Timing(EvaluationCallback):
    """Seconds per sample, forward and backward evaluations and peak memory, to TensorBoard and metrics.json.

    `network_seconds` is what the score model and the combiner's networks took, `other_seconds` all the rest from the
    start of a batch to that of the next: noise, the task, the step, metrics, writing, reading images. `other_share` is
    the latter's share of both. The first batch of every start (allocations, kernel selection) is kept apart:
    `warm_up_seconds` is its time per sample, and the others leave it out unless there is nothing else. Of several ranks
    it is the first one's time.
    """

    def __init__(self) -> None:
        self._summary: dict[str, Any] = {}
        self._network: NetworkTime | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: GuidedDiffusion) -> None:
        reset_peak_memory(pl_module.device)
        self._network = NetworkTime([pl_module.score_model, *pl_module.combiner_networks], pl_module.device)
        self._done = samples_done(trainer)
        self._started: float | None = None
        self._rows: list[Row] = []
        self._warm_up = True
        self._samples, self._in_network, self._elsewhere = 0, 0.0, 0.0

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: GuidedDiffusion, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._end_batch(trainer)
        self._started = time.perf_counter()

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: GuidedDiffusion, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        self._rows = outputs.rows
        if not outputs.rows:
            return
        if outputs.rows[0]["warm_up"]:
            self._summary["warm_up_seconds"] = outputs.rows[0]["seconds"]
        memory = peak_memory(pl_module.device)
        self._done += len(outputs.rows) * trainer.world_size
        self._tell(trainer, {name: outputs.rows[0][name] for name in ("seconds", "nfe_forward", "nfe_backward")})
        if memory is None:  # nobody says, and no number is better than a wrong one
            return
        self._summary["peak_memory_mib"] = memory / 2**20
        if writer := tensorboard(trainer):
            writer.add_scalar("timing/peak_memory_mib", self._summary["peak_memory_mib"], self._done)

    def on_predict_end(self, trainer: Trainer, pl_module: GuidedDiffusion) -> None:
        if self._network is not None:
            self._end_batch(trainer)
            self._network.close()
            self._network = None

    def on_exception(self, trainer: Trainer, pl_module: GuidedDiffusion, exception: BaseException) -> None:
        self.on_predict_end(trainer, pl_module)

    def _end_batch(self, trainer: Trainer) -> None:
        """Account for the time since the batch began, with all that came after its samples."""
        if self._started is None or self._network is None:
            return
        network = self._network.take()
        other = time.perf_counter() - self._started - network
        rows, self._rows, self._started = self._rows, [], None
        if not rows:  # it could not be read, or was interrupted
            return
        if self._warm_up:  # what is measured so far counts for nothing as soon as there is more
            self._samples, self._in_network, self._elsewhere = 0, 0.0, 0.0
        self._warm_up = rows[0]["warm_up"]
        self._samples += len(rows)
        self._in_network += network
        self._elsewhere += other
        self._summary["network_seconds"] = self._in_network / self._samples
        self._summary["other_seconds"] = self._elsewhere / self._samples
        self._summary["other_share"] = self._elsewhere / (self._in_network + self._elsewhere)
        self._tell(trainer, {"network_seconds": network / len(rows), "other_seconds": other / len(rows)})

    def _tell(self, trainer: Trainer, per_sample: dict[str, float]) -> None:
        if writer := tensorboard(trainer):
            for name, value in per_sample.items():
                writer.add_scalar(f"timing/{name}_per_image", value, self._done)

    def summary(self) -> dict[str, Any]:
        return {"timing": self._summary}
