"""What a model is told besides the state: opaque to the loop, the combiners and the data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from dsg.errors import UserError


class Condition(ABC):
    """One a sample of a batch: class labels, embeddings of a text with their mask, ... The score model makes it.

    None stands for no condition: a model that can be evaluated without one has its own way to (a null class, an empty
    prompt).
    """

    @abstractmethod
    def __len__(self) -> int:
        """B, how many samples it is of."""

    @abstractmethod
    def to(self, device: torch.device) -> Self:
        """The same on another device."""

    @abstractmethod
    def rows(self, index: Tensor) -> Self:
        """That of some samples, by their numbers, (n,) int64."""

    def null(self) -> Condition | None:
        """What stands for no condition beside this one: a prompt of what is not wanted. None is the model's own way."""
        return None


@dataclass(frozen=True)
class ClassLabels(Condition):
    """A class each.

    Args:
        labels: (B,) int64 in [0, number of classes).
    """

    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> ClassLabels:
        return ClassLabels(self.labels.to(device))

    def rows(self, index: Tensor) -> ClassLabels:
        return ClassLabels(self.labels[index.to(self.labels.device)])


def class_labels(condition: Condition | None, who: str) -> Tensor:
    """The labels of a condition, (B,) int64.

    Args:
        who: needs them, the beginning of the error.

    Raises:
        UserError: if there is no condition, or it is of another kind.
    """
    if isinstance(condition, ClassLabels):
        return condition.labels
    if condition is None:
        raise UserError(f"{who} guides by class and this batch has no labels; set data.labels")
    raise UserError(f"{who} guides by class, and the score model is conditional on {type(condition).__name__}")
