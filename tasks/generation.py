"""Nothing is measured: the samples are the model's own."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.types import Image, PerSample
from tasks.base import Measurement, Task
from tasks.operators import Operator


class Nothing(Operator):
    """A(x) has no entries, (B,C,H,W) → (B,0)."""

    def forward(self, x: Image) -> Tensor:
        return x.flatten(1)[:, :0]


class Generation(Task):
    """y is empty and L = 0: what guides is the combiner, or a guidance that needs no loss of a task.

    The evaluated data gives each sample its label and its name; it needs no images, and does not look at those it has.
    """

    needs: frozenset[str] = frozenset()
    compared_with: str | None = None

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        return Measurement(torch.zeros(len(streams), 0, device=streams.device), Nothing())

    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        return 0.0 * clean_estimate.flatten(1).sum(1)

    def picture(self, measurement: Measurement) -> Image:
        """A grey card, (B,3,8,8)."""
        return torch.zeros(len(measurement.y), 3, 8, 8, device=measurement.y.device)
