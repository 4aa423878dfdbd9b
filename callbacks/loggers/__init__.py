"""What a run tells TensorBoard, and any other logger of Lightning."""

from __future__ import annotations

from lightning.pytorch import Trainer
from torch.utils.tensorboard import SummaryWriter

from callbacks.loggers.base import Sink, Sinks
from callbacks.loggers.lightning import LoggerSink
from callbacks.loggers.tensorboard import TensorBoardSink

__all__ = ["Sink", "Sinks", "told"]


def told(trainer: Trainer) -> Sinks | None:
    """Whoever is told of the run, each of the Trainer's loggers; None without one, and on every rank but the first."""
    if not trainer.is_global_zero or not trainer.loggers:
        return None
    found: list[Sink] = []
    for logger in trainer.loggers:
        writer = getattr(logger, "experiment", None)
        found.append(TensorBoardSink(writer) if isinstance(writer, SummaryWriter) else LoggerSink(logger))
    return Sinks(found)
