"""Data as Lightning's Trainer takes it."""

from __future__ import annotations

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from dsg.data.base import EvaluationData, Key
from dsg.data.batches import batches


class EvaluationDataModule(LightningDataModule):
    """Data as Lightning's Trainer takes it: each rank has its share of what is not done.

    Args:
        data: what is evaluated.
        done: samples that an earlier start finished. What the first rank says holds for all, here and below.
        start: the number of this start of the run; the rows that it makes carry it.
    """

    def __init__(self, data: EvaluationData, done: frozenset[Key] = frozenset(), start: int = 1) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # a rank may have nothing to do
        self.data = data
        self.done = done
        self.start = start

    def keys(self) -> list[Key]:
        """(image id, sample number) of everything that is to be evaluated, done or not."""
        return self.data.keys()

    def predict_dataloader(self) -> DataLoader:
        """This rank's batches."""
        if self.trainer is None:
            return batches(self.data, done=self.done)
        # all must share out the same
        self.done, self.start = self.trainer.strategy.broadcast((self.done, self.start))
        return batches(self.data, self.trainer.global_rank, self.trainer.world_size, self.done)
