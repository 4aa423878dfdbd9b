"""What every process of a batch has, whatever it undoes: a model, what a task measured, streams, and costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams
from dsg.models.frozen import FrozenModel
from dsg.process.trace import Record
from dsg.types import Image, PerSample
from tasks.base import Measurement, Task

COUNTS = ("forwards", "backwards", "decoder_forwards", "decoder_backwards", "encoder_forwards", "encoder_backwards")


class Process:
    """A frozen model and a task's measurement, bound for one batch, with every evaluation counted.

    An autocast that is active where this is made applies to the network alone.

    Args:
        model: the frozen model.
        task: gives the loss.
        measurement: what `task` measured of this batch.
        streams: the batch's random streams.
        steps: the steps, noisiest first.
        condition: what the model is told besides the state, or None.
    """

    def __init__(
        self,
        model: FrozenModel,
        task: Task,
        measurement: Measurement,
        streams: NoiseStreams,
        steps: Sequence[Step],
        condition: Condition | None = None,
    ) -> None:
        self.model = model
        self.task = task
        self.measurement = measurement
        self.streams = streams
        self.steps = steps
        self.condition = condition
        self.forwards = self.backwards = 0  # passes of every sample of the batch through the network, and
        self.decoder_forwards = self.decoder_backwards = 0  # through the decoder of a model of latents, and
        self.encoder_forwards = self.encoder_backwards = 0  # through its encoder
        self.memory: dict[Any, Any] = {}  # what a combiner or a method keeps of a batch, by a key of its own
        # of each sample, whether all that the model said of it was finite: states that are whole numbers do not tell
        self.finite = torch.ones(len(streams), dtype=torch.bool, device=streams.device)
        device = streams.device.type
        self._autocast = (device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """What an observer asks inside this block is no cost of the method: the counts, and `finite`, are as before."""
        before = {name: getattr(self, name) for name in (*COUNTS, "finite")}
        try:
            yield
        finally:
            vars(self).update(before)

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Around one evaluation of a network: it is counted, and has the precision that this was made under."""
        self.forwards += 1
        device, dtype, enabled = self._autocast
        with torch.autocast(device, dtype, enabled=enabled):
            yield

    def costs(self) -> dict[str, int]:
        """Passes of every sample so far, by their column."""
        costs = {"nfe_forward": self.forwards, "nfe_backward": self.backwards}
        if self.model.has_decoder:
            costs |= {"nfe_decoder_forward": self.decoder_forwards, "nfe_decoder_backward": self.decoder_backwards}
            costs |= {"nfe_encoder_forward": self.encoder_forwards, "nfe_encoder_backward": self.encoder_backwards}
        return costs

    def loss(self, clean_estimate: Tensor) -> PerSample:
        """L(x̂, y) of the decoded estimate, (B,)."""
        return self.task.loss(self.decode(clean_estimate), self.measurement)

    def decode(self, state: Tensor) -> Image:
        """State → images in [−1, 1], (B, *image_shape); the identity in pixel space.

        A pass through the decoder is counted, and where `state` has a graph a backward one: it is differentiated once.
        """
        if self.model.has_decoder:
            self.decoder_forwards += 1
            self.decoder_backwards += state.requires_grad
        return self.model.decode(state)

    def encode(self, image: Image) -> Tensor:
        """Images in [−1, 1] → state, (B, *shape), counted as `decode` is; the identity in pixel space."""
        if self.model.has_decoder:
            self.encoder_forwards += 1
            self.encoder_backwards += image.requires_grad
        return self.model.encode(image)

    def watched(self, record: Record) -> Record:
        """The record with what a method does not ask for and an observer does; here as it is."""
        return record
