"""What every sampler is from outside: to the module that runs it, and to whoever checks what fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from dsg.data.examples import Examples
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.models.frozen import FrozenModel
from dsg.process.base import Process
from dsg.process.trace import Record
from tasks.base import Task

Needs = Sequence[tuple[object, frozenset[str]]]
"""Who needs columns of every example, and which."""


class AnySampler(ABC):
    """Everything that is the same for every batch: a frozen model, a task, and how the steps are taken."""

    task: Task

    @property
    @abstractmethod
    def model(self) -> FrozenModel:
        """The frozen model."""

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """Who needs columns that a condition is made of."""

    @property
    @abstractmethod
    def num_classes(self) -> int | None:
        """How many classes a label may name; None if nobody takes labels."""

    @property
    def leads_away(self) -> bool:
        """Whether it leads away from the condition's `null`."""
        return False

    def networks(self) -> dict[str, Sequence[nn.Module]]:
        """Frozen networks besides the model, by whose they are; they move to its device with it."""
        return {"combiner": (), "guidance": (), "task": self.task.networks()}

    @property
    @abstractmethod
    def heaviest_step(self) -> Step:
        """A step that needs as much memory as any."""

    @abstractmethod
    def begin(self, examples: Examples, streams: NoiseStreams) -> Process:
        """Measure a batch and make the model's condition of it: the process of one batch."""

    @abstractmethod
    def run(self, process: Any) -> Iterator[Record]:
        """The trajectory, a record a step; the last record's `x_prev` is the sample."""


def refuse_inference_mode() -> None:
    """Raise UserError under inference mode, where no gradient can be taken."""
    if torch.is_inference_mode_enabled():
        raise UserError("sampling needs gradients: set trainer.inference_mode to false")
