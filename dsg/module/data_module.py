"""Data as Lightning's Trainer takes it."""

from __future__ import annotations

import math

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from dsg.data.base import EvaluationData, Key
from dsg.data.batches import batches, groups_left
from dsg.models.engines import engines_of
from dsg.module.batch_size import Fit, given, largest
from dsg.module.sampling_module import SamplingModule
from dsg.module.trial import Trial, first_example


class EvaluationDataModule(LightningDataModule):
    """Data as Lightning's Trainer takes it: each rank has its share of what is not done.

    Where the data's `batch_size` is `auto`, the largest that fits is found when the model is on its device, by a guided
    step of a copy of the first example; all ranks take the smallest that one of them found. Devices with an account of
    their memory, which a CPU has not, also try a number that is given, before the first sample.

    Args:
        data: what is evaluated.
        done: samples that an earlier start finished. What the first rank says holds for all, here and below.
        start: the number of this start of the run; the rows that it makes carry it.
        batch_size: what an earlier start found, where the data's is `auto`: the most that is tried.
    """

    def __init__(
        self,
        data: EvaluationData,
        done: frozenset[Key] = frozenset(),
        start: int = 1,
        batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # a rank may have nothing to do
        self.data = data
        self.done = done
        self.start = start
        self.finds_batch_size = isinstance(data.batch_size, str)
        self.batch_size = batch_size if isinstance(data.batch_size, str) else data.batch_size
        self.fit: Fit | None = None
        """The batch and what each image takes, where that was measured."""
        self.found: int | None = None
        """What was found for `auto`, where memory set it and not the number of images that were left."""

    def keys(self) -> list[Key]:
        """(image id, sample number) of everything that is to be evaluated, done or not."""
        return self.data.keys()

    def predict_dataloader(self) -> DataLoader:
        """This rank's batches."""
        if self.trainer is None:
            return batches(self.data, done=self.done, batch_size=self.batch_size)
        # all must share out the same
        told = self.trainer.strategy.broadcast((self.done, self.start, self.batch_size))
        self.done, self.start, self.batch_size = told
        self._fit(self.trainer)
        return batches(self.data, self.trainer.global_rank, self.trainer.world_size, self.done, self.batch_size)

    def _fit(self, trainer: Trainer) -> None:
        """Find the batch size, or what the one that is known takes."""
        left = len(groups_left(self.data, self.done))
        taken_as_given = not self.finds_batch_size and trainer.strategy.root_device.type == "cpu"
        if not left or taken_as_given:
            self.batch_size = self.batch_size or 1
            return
        most, fit = math.ceil(left / trainer.world_size), None
        if (trial := self._trial(trainer)) is not None:
            with trainer.precision_plugin.predict_step_context():
                if self.finds_batch_size:
                    sharing = trainer.num_devices if trial.device.type == "cpu" else 1
                    fit = largest(trial, self._most(most), sharing)
                else:
                    fit = given(trial, min(self.batch_size or most, most))
            for engine in engines_of(trial.sampler.model):
                engine.forget()
        size = self.batch_size or 1
        if self.finds_batch_size:
            own = torch.tensor(1 if fit is None else fit.size, device=trainer.strategy.root_device)
            size = int(trainer.strategy.reduce(own, reduce_op="min"))
            self.found = size if size < most else None
        self.batch_size = size
        if trial is not None and fit is not None:
            self.fit = Fit(size, fit.bytes_each / trial.samples)

    def _most(self, left: int) -> int:
        """The most that is tried, of the images that are left: what an earlier start found, so that all batches are
        alike."""
        return min(left, self.batch_size) if self.batch_size else left

    def _trial(self, trainer: Trainer) -> Trial | None:
        """None where there is nothing to try with: no example can be read."""
        module, example = trainer.lightning_module, first_example(self.data)
        if example is None or not isinstance(module, SamplingModule):
            return None
        samples = self.data.samples_per_image if self.data.whole_problems else 1
        return Trial(module.sampler, example, trainer.strategy.root_device, samples)
