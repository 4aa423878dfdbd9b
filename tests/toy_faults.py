"""Toy score models that something is the matter with."""

from __future__ import annotations

import time

import torch

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.models.labels import labels_for
from dsg.types import State
from tests.toy import Toy

PAUSE = 0.1
"""Seconds that `Slow` takes; a test that is in no hurry to disturb it may take them away, in its own process."""


class Slow(Toy):
    """Takes its time, so that a signal can arrive while it samples."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        time.sleep(PAUSE)
        return super().forward(x_t, level, condition)


class Conditional(Toy):
    """Knows three classes, and needs one."""

    num_classes = 3

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        labels = labels_for(x_t, condition, self.num_classes)
        return super().forward(x_t, level).shifted(0.01 * labels.reshape(-1, 1, 1, 1), level)


class Greedy(Toy):
    """Wants more memory than there is for two images."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        if len(x_t) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has ...")
        return super().forward(x_t, level, condition)


class Mistaken(Toy):
    """An error in the code, which must not be taken for one in the input."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        raise ZeroDivisionError("a bug")
