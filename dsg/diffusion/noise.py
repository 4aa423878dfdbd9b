"""Random streams: one per image, sample and purpose.

A number that is drawn here depends on (seed, image id, sample number, purpose) and on how many were drawn from that
stream before, on nothing else: not on the batch, the order, the rank or a restart. Streams are drawn on the CPU, so
that they are bitwise the same for every device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor


class Purpose(StrEnum):
    """What numbers are drawn for. A method that draws more for one purpose changes no other."""

    REFERENCE = "reference"  # clean data that is drawn, not read
    OPERATOR = "operator"  # masks, blur kernels
    MEASUREMENT = "measurement"  # measurement noise
    INITIAL = "initial"  # x_T
    REVERSE = "reverse"  # z of the reverse steps
    RECURRENCE = "recurrence"  # re-noising in time travel
    CHURN = "churn"  # noise that raises a level before its step
    MONTE_CARLO = "monte_carlo"  # draws inside a guidance
    TRUTH = "truth"  # what results are compared with


# Several samples of one image are several answers to one and the same question.
SHARED_BY_SAMPLES = frozenset({Purpose.REFERENCE, Purpose.OPERATOR, Purpose.MEASUREMENT})


@dataclass(frozen=True)
class SampleKey:
    """Names one sample: `seed` of the evaluation, `image_id`, and `sample` ≥ 0 among those of that image."""

    seed: int
    image_id: str
    sample: int = 0

    def generator(self, purpose: Purpose) -> np.random.Generator:
        """A fresh generator at the start of this sample's stream (PCG64DXSM, seeded by a 128-bit hash of its name)."""
        sample = 0 if purpose in SHARED_BY_SAMPLES else self.sample
        name = f"{self.seed}/{sample}/{purpose}/{self.image_id}".encode()
        key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
        return np.random.Generator(np.random.PCG64DXSM(key))


class NoiseStreams:
    """The streams of one batch; every draw continues each sample's own stream.

    Args:
        keys: one a sample, in the order of the batch.
        device: where the drawn tensors are put.
    """

    def __init__(self, keys: Sequence[SampleKey], device: torch.device | str = "cpu") -> None:
        self.keys = list(keys)
        self.device = torch.device(device)
        self._generators: dict[Purpose, list[np.random.Generator]] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def generators(self, purpose: Purpose) -> list[np.random.Generator]:
        """One generator a sample, for draws other than normal ones."""
        if purpose not in self._generators:
            self._generators[purpose] = [key.generator(purpose) for key in self.keys]
        return self._generators[purpose]

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers, float32, (B, *shape)."""
        values = torch.empty(len(self), *shape, pin_memory=self.device.type == "cuda", dtype=torch.float32)
        for row, generator in zip(values.numpy(), self.generators(purpose), strict=True):
            generator.standard_normal(dtype=np.float32, out=row)
        return values.to(self.device, non_blocking=True)


class EnsembleStreams(NoiseStreams):
    """One stream a purpose for a whole ensemble, drawn at once: for 10⁵ samples of a closed form, where a stream for
    each would take longer than the samples. What a member gets depends on its place and on the ensemble's size.

    Args:
        key: names the ensemble.
        size: how many members it has.
        device: where the drawn tensors are put.
    """

    def __init__(self, key: SampleKey, size: int, device: torch.device | str = "cpu") -> None:
        super().__init__([key] * size, device)
        self._pools = {purpose: key.generator(purpose) for purpose in Purpose}

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        drawn = self._pools[purpose].standard_normal((len(self), *shape), dtype=np.float32)
        return torch.from_numpy(drawn).to(self.device)
