"""One guided step, taken to see what memory it needs."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dsg.data.base import EvaluationData
from dsg.data.examples import Example, Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UnreadableImage
from dsg.module.device import peak_memory, reset_peak_memory
from dsg.module.live_bytes import LiveBytes
from dsg.process import AnySampler


@dataclass(frozen=True)
class Trial:
    """A step of the real sampler: forward and backward through network and decoder, and the decoded sample's loss.

    Nothing is left of it: its streams, counts and results are its own.

    Args:
        sampler: the evaluation's, its model on `device`.
        example: what is sampled, as often as the batch is large.
        device: where.
        samples: of one unit of the batch size: 1, or those of a whole problem.
    """

    sampler: AnySampler
    example: Example
    device: torch.device
    samples: int = 1

    def bytes(self, size: int) -> int:
        """What a batch of `size` takes at most beside what is there before, on a CPU the tensors alone.

        Raises:
            torch.OutOfMemoryError: if that is more than there is.
        """
        if self.device.type == "cpu" or (before := _allocated(self.device)) is None:
            live = LiveBytes()
            with live.counted():
                self._step(size)
            return live.peak
        reset_peak_memory(self.device)
        self._step(size)
        return (peak_memory(self.device) or before) - before

    @torch.no_grad()
    def _step(self, size: int) -> None:
        count = size * self.samples
        keys = [SampleKey(0, "a trial of memory", sample) for sample in range(count)]
        examples = Examples.of([self.example] * count).to(self.device)
        process = self.sampler.begin(examples, NoiseStreams(keys, self.device))
        process.steps = [self.sampler.heaviest_step]
        with torch.autocast(self.device.type, enabled=False):
            *_, record = self.sampler.run(process)
            self.sampler.task.loss(process.decode(record.clean_estimate), process.measurement)


def first_example(data: EvaluationData) -> Example | None:
    """The first example of `data` that can be read; None where none can."""
    for image_id in data.evaluated_ids():
        try:
            return data.load(image_id)
        except UnreadableImage:
            continue
    return None


def _allocated(device: torch.device) -> int | None:
    """Bytes of the tensors on a device; None where it keeps no account of them."""
    measure = getattr(torch.get_device_module(device), "memory_allocated", None)
    return None if measure is None else measure(device)
