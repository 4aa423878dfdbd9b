"""Toy score models that something is the matter with."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from dsg.diffusion.prediction import ModelOutput
from dsg.diffusion.schedule import NoiseLevel
from dsg.models.labels import labels_for
from dsg.types import State
from tests.toy import Toy


class Slow(Toy):
    """Takes its time, so that a signal can arrive while it samples."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        time.sleep(0.1)
        return super().forward(x_t, level, condition)


class Conditional(Toy):
    """Knows three classes, and needs one."""

    num_classes = 3

    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        labels = labels_for(x_t, condition, self.num_classes)
        epsilon, variance = super().forward(x_t, level)
        return ModelOutput(epsilon + 0.01 * labels.reshape(-1, 1, 1, 1), variance)


class Greedy(Toy):
    """Wants more memory than there is for two images."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        if len(x_t) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has ...")
        return super().forward(x_t, level, condition)


class Mistaken(Toy):
    """An error in the code, which must not be taken for one in the input."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        raise ZeroDivisionError("a bug")
