"""Random streams: one per image, sample and purpose.

A number that is drawn here depends on (seed, image id, sample number, purpose) and on how many were drawn from that
stream before, on nothing else: not on the batch, the order, the rank or a restart. Streams are drawn on the CPU, so
that they are bitwise the same for every device; for another device by threads, which keeps it from waiting (`ahead`).
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dsg.diffusion.ahead import Draw

WORTH_A_THREAD = 2**14
"""Numbers of a draw from which on threads are quicker: 0.1 ms of drawing."""


class Purpose(StrEnum):
    """What numbers are drawn for. A method that draws more for one purpose changes no other."""

    REFERENCE = "reference"  # clean data that is drawn, not read
    OPERATOR = "operator"  # masks, blur kernels
    MEASUREMENT = "measurement"  # measurement noise
    INITIAL = "initial"  # x_T
    REVERSE = "reverse"  # z of the reverse steps
    UNMASK = "unmask"  # when masked tokens are seen, and which ones
    TOKEN = "token"  # what they are then
    RECURRENCE = "recurrence"  # re-noising in time travel
    CHURN = "churn"  # noise that raises a level before its step
    MONTE_CARLO = "monte_carlo"  # draws inside a guidance
    TRUTH = "truth"  # what results are compared with


# Several samples of one image are several answers to one and the same question.
SHARED_BY_SAMPLES = frozenset({Purpose.REFERENCE, Purpose.OPERATOR, Purpose.MEASUREMENT})

# What was drawn for these will be drawn again, a step later.
OF_EVERY_STEP = frozenset({Purpose.REVERSE, Purpose.RECURRENCE, Purpose.CHURN, Purpose.MONTE_CARLO})


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
        threads: how many draw, and draw the next step's numbers ahead; 0 draws when it is asked for. By default 0 where
            the device is the CPU, whose cores the network needs, and else as many as torch computes with. No number
            depends on it.
    """

    def __init__(
        self, keys: Sequence[SampleKey], device: torch.device | str = "cpu", threads: int | None = None
    ) -> None:
        self.keys = list(keys)
        self.device = torch.device(device)
        on_cpu = self.device.type == "cpu"
        self._count = min(len(self.keys), (0 if on_cpu else torch.get_num_threads()) if threads is None else threads)
        self._generators: dict[Purpose, list[np.random.Generator]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._ahead: dict[Purpose, Draw] = {}
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self.keys)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_threads": None, "_ahead": {}}  # what nobody has taken was not drawn

    def generators(self, purpose: Purpose) -> list[np.random.Generator]:
        """One generator a sample, for draws other than normal ones."""
        if purpose not in self._generators:
            self._generators[purpose] = [key.generator(purpose) for key in self.keys]
        return self._generators[purpose]

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers, float32, (B, *shape)."""
        if self._count and len(self) * math.prod(shape) >= WORTH_A_THREAD:
            return self._by_threads(purpose, shape).to(self.device, non_blocking=True)
        values = torch.empty(len(self), *shape, pin_memory=self._pins, dtype=torch.float32)
        for row, generator in zip(values.numpy(), self.generators(purpose), strict=True):
            generator.standard_normal(dtype=np.float32, out=row)
        return values.to(self.device, non_blocking=True)

    def uniform(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        """Uniform numbers in [0, 1), float32, (B, *shape)."""
        values = torch.empty(len(self), *shape, pin_memory=self._pins, dtype=torch.float32)
        for row, generator in zip(values.numpy(), self.generators(purpose), strict=True):
            generator.random(dtype=np.float32, out=row)
        return values.to(self.device, non_blocking=True)

    def rest(self) -> None:
        """Let the threads go, since nothing more is drawn for now. A later draw continues the streams with new ones."""
        ahead, self._ahead = self._ahead, {}
        for draw in ahead.values():
            draw.drop()
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()

    @property
    def _pins(self) -> bool:
        return self.device.type == "cuda"

    def _by_threads(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        if self._process != os.getpid():  # a copy that fork made has none of the threads
            self._process, self._threads, self._ahead = os.getpid(), None, {}
        draw = self._ahead.pop(purpose, None)
        if draw is None or not draw.is_next(shape):
            if draw is not None:
                draw.drop()
            draw = self._begin(purpose, shape)
        values = draw.take()
        if purpose in OF_EVERY_STEP:
            self._ahead[purpose] = self._begin(purpose, shape)
        return values

    def _begin(self, purpose: Purpose, shape: Sequence[int]) -> Draw:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="noise")
        return Draw(self.generators(purpose), shape, self._threads, self._count, self._pins)


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

    def uniform(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        drawn = self._pools[purpose].random((len(self), *shape), dtype=np.float32)
        return torch.from_numpy(drawn).to(self.device)
