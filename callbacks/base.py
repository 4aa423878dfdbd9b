"""What the callbacks of an evaluation have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from dsg.data.base import EvaluationData
from dsg.module import SamplingModule
from dsg.run_folder.folder import RunFolder


class EvaluationCallback(Callback):
    """A callback that may add columns to a batch's rows, and lines to metrics.json."""

    metrics: str | None = None
    """A pattern of the metrics that it may add to what was met; None does not say, and any may come."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if isinstance(pl_module, SamplingModule):
            self.check(pl_module, evaluated(trainer))
            self.meet(pl_module, evaluated(trainer))

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        """Raise UserError if this cannot be measured of what is evaluated: before there is a run folder."""

    def networks(self) -> Mapping[str, nn.Module]:
        """Those that it measures with, by a name for the record of their weights; they move to the model's device."""
        return {}

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for network in self.networks().values():
            network.to(pl_module.device)

    def meet(self, module: SamplingModule, data: EvaluationData) -> None:
        """Learn what is evaluated: before the first sample, and before the summary of a run that has none left."""

    def unavailable(self) -> Mapping[str, str]:
        """Metric: why it cannot be measured of what was met, as far as that is known so far."""
        return {}

    def summary(self) -> dict[str, Any]:
        """What to add to metrics.json when the run ends."""
        return {}

    def complete(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        """Add to metrics.json what is of all samples together, from the run folder. On the first rank, once nothing is
        left to sample; not when a run is interrupted, and perhaps in a start that samples nothing.
        """


def evaluated(trainer: Trainer) -> EvaluationData:
    """The data that the run evaluates."""
    return trainer.datamodule.data  # type: ignore[attr-defined]


def samples_done(trainer: Trainer) -> int:
    """How many samples the run folder holds: where the x axis of a continued run goes on."""
    return len(RunFolder(trainer.default_root_dir).done())
