"""TensorBoard in the run folder."""

from __future__ import annotations

from lightning.pytorch.loggers import TensorBoardLogger


class RunFolderLogger(TensorBoardLogger):
    """Lightning's, without its hparams.yaml: config.yaml says what made the run."""

    def save(self) -> None:
        self.experiment.flush()
