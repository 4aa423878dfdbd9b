"""TensorBoard in the run folder."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from lightning.pytorch.loggers import Logger, TensorBoardLogger


class RunFolderLogger(TensorBoardLogger):
    """Lightning's, without its hparams.yaml: config.yaml says what made the run."""

    def save(self) -> None:
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Close the event file, but do not wait forever: TensorBoard does, once a full disk has stopped its writer."""
        closing = threading.Thread(target=super().finalize, args=(status,), daemon=True)
        closing.start()
        closing.join(timeout=5)


def with_tensorboard(given: Logger | Iterable[Logger] | bool | None, own: RunFolderLogger) -> Iterable[Logger] | bool:
    """The loggers of a run: those that are given beside the run folder's own, which leaves its place to another of
    TensorBoard; none where `given` is False.
    """
    if given is False:
        return False
    loggers = [given] if isinstance(given, Logger) else [] if given is None or given is True else list(given)
    return loggers if any(isinstance(logger, TensorBoardLogger) for logger in loggers) else [own, *loggers]
