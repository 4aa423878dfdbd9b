"""What the tests of this lane name in configurations, or send to other processes."""

from __future__ import annotations

import os

import torch
from torch import nn

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.types import State
from tests.toy import Toy


class Hungry(Toy):
    """Wants more memory than any device has."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        torch.empty(2**50, dtype=torch.uint8, device=x_t.device)
        return super().forward(x_t, level, condition)


class Heavy(nn.Module):
    """A chain of products that takes a device some time, forward and backward.

    Args:
        size: rows and columns of each matrix.
        depth: how many there are.
    """

    def __init__(self, size: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[nn.Linear(size, size, bias=False) for _ in range(depth)]).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def tell_device(arguments: list[str]) -> int:
    """In the place of `predict`: print into the run's log which GPU this process has, if any."""
    names = [torch.cuda.get_device_properties(i).uuid for i in range(torch.cuda.device_count())]
    print(f"process {os.getpid()} sees {', '.join(map(str, names)) or 'no GPU'}")
    return 0
