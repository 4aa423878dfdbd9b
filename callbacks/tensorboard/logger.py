"""TensorBoard in the run folder."""

from __future__ import annotations

import threading

from lightning.pytorch.loggers import TensorBoardLogger


class RunFolderLogger(TensorBoardLogger):
    """Lightning's, without its hparams.yaml: config.yaml says what made the run."""

    def save(self) -> None:
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Close the event file, but do not wait forever: TensorBoard does, once a full disk has stopped its writer."""
        closing = threading.Thread(target=super().finalize, args=(status,), daemon=True)
        closing.start()
        closing.join(timeout=5)
