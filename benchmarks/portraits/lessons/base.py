"""What a kind of twin learns: its loss on some pictures, and the figures that say how good it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.portraits.augment import soften
from benchmarks.portraits.truths import Truths
from dsg.models.portraits.twin import Role, Twin

# seed, and how soft and noisy the pictures get: the guide has to read early clean estimates
MANNERS: dict[Role, tuple[int, int, float]] = {"guide": (1, 16, 0.3), "judge": (2, 40, 0.08)}


class Lesson(nn.Module, ABC):
    """A network in training, with what it needs for that alone.

    Args:
        role: of the twin.
        truths: what it learns from.
    """

    twin: ClassVar[type[Twin]]
    batch: ClassVar[int] = 48

    def __init__(self, role: Role, truths: Truths) -> None:
        super().__init__()
        self.truths = truths
        _, self.softest, self.noisiest = MANNERS[role]
        # channels_last is the order that convolutions on CPUs are fastest in
        self.network: Any = self.twin.build(role).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @abstractmethod
    def loss(self, generator: torch.Generator) -> Tensor:
        """The mean loss of a batch that `generator` draws."""

    @staticmethod
    @abstractmethod
    def quality(network: Any, truths: Truths) -> dict[str, Any]:
        """Figures of a trained network on pictures that it has not seen."""

    def rows(self, generator: torch.Generator) -> np.ndarray:
        """Some pictures, each a person's. (batch,)"""
        return torch.randint(len(self.truths), (self.batch,), generator=generator).numpy()

    def seen(self, rows: np.ndarray, generator: torch.Generator) -> Tensor:
        """The pictures as this role has to read them, (batch,3,64,64) in [−1, 1]."""
        images = soften(as_images(self.truths.images[rows]), generator, self.softest, self.noisiest)
        return images.contiguous(memory_format=torch.channels_last)


def as_images(levels: np.ndarray) -> Tensor:
    """uint8 → [−1, 1]."""
    return torch.from_numpy(levels).float() / 127.5 - 1.0


@torch.no_grad()
def answers(network: Callable[[Tensor], Tensor], truths: Truths) -> Tensor:
    """What the network says of all pictures as they are, (N, ...)."""
    starts = range(0, len(truths), 100)
    return torch.cat([network(as_images(truths.images[start : start + 100])) for start in starts])
