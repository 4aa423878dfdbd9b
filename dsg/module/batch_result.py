"""One batch, sampled: what the module hands to the callbacks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dsg.data.batches import Failure
from dsg.data.examples import Examples
from dsg.diffusion.noise import SampleKey
from dsg.run_folder.journal import Row
from tasks.base import Measurement


@dataclass
class BatchResult:
    """One batch, sampled.

    Args:
        keys: one a sample, in order.
        examples: what the data gave.
        truth: what the task compares the samples with, like them; None where it compares them with nothing.
        measurement: what was measured of the examples.
        picture: how that looks, (B,3,h,w) of any size; None where the medium shows none.
        samples: the reconstructions, decoded, (B, *shape), unclipped.
        rows: one a sample; callbacks add columns to them.
        failures: examples that could not be read.
    """

    keys: list[SampleKey]
    examples: Examples
    truth: Tensor | None
    measurement: Measurement | None
    picture: Tensor | None
    samples: Tensor
    rows: list[Row]
    failures: list[Failure]

    def to(self, device: torch.device) -> BatchResult:
        """The same on another device, but for the measurement: Trainer.predict asks for it before it returns this."""
        truth, picture = (None if x is None else x.to(device) for x in (self.truth, self.picture))
        return replace(
            self, examples=self.examples.to(device), truth=truth, picture=picture, samples=self.samples.to(device)
        )
