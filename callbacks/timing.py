"""How long a sample takes, and what it costs in network evaluations and memory."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from callbacks.base import EvaluationCallback, tensorboard
from dsg.module import BatchResult


class Timing(EvaluationCallback):
    """Seconds per image, forward and backward evaluations per image, and peak memory, to TensorBoard and metrics.json.

    The first batch of every start (allocations, kernel selection) is kept apart: `warm_up_seconds` is its time per
    image, and the mean of `seconds` leaves it out.
    """

    def __init__(self) -> None:
        self._summary: dict[str, Any] = {}

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.rows:
            return
        row = outputs.rows[0]
        if row["warm_up"]:
            self._summary["warm_up_seconds"] = row["seconds"]
        self._summary["peak_memory_mib"] = _peak_memory(pl_module.device) / 2**20
        if writer := tensorboard(trainer):
            for name in ("seconds", "nfe_forward", "nfe_backward"):
                writer.add_scalar(f"timing/{name}_per_image", row[name], batch_idx)
            writer.add_scalar("timing/peak_memory_mib", self._summary["peak_memory_mib"], batch_idx)

    def summary(self) -> dict[str, Any]:
        return {"timing": self._summary}


def _peak_memory(device: torch.device) -> int:
    """Bytes: the device's tensors on a GPU, the process's resident set on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on every platform

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
