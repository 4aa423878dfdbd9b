"""The loss inside a recorded step: a network with weights by the rule, asked about the record's reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.replay.nonlinear.clip import OfTokens, clip
from dsg.replay.nonlinear.read import Record
from dsg.replay.nonlinear.rule import by_rule
from tasks import FeatureTask, Generation, Style, Task, Text
from tasks.base import Measurement
from tasks.features import CrossEntropy
from tasks.networks import lraspp
from tasks.networks.arcface import IRSE, ArcFace


@dataclass(frozen=True)
class Inside:
    """What gives a step its gradient.

    Args:
        task: whose loss it is.
        measurement: of the reference.
        gradients: recorded ones, which are taken instead: of a record that has them and no reference, so that the step
            alone is compared.
    """

    task: Task
    measurement: Measurement | None
    gradients: Tensor | None = None

    def recorded(self) -> Iterator[Tensor] | None:
        """Those of the batch of one, one a guided evaluation."""
        return None if self.gradients is None else iter(self.gradients[:, None])


def identity(record: Record) -> Inside:
    """DSG's and FreeDoM's faces."""

    def task() -> FeatureTask:
        return FeatureTask(by_rule(IRSE, ArcFace, shapes=record.shapes("arcface_ir_se50")))

    return _of_picture(record, task, 256, "gradient")


def style(record: Record, gradients: str) -> Inside:
    """DSG's and FreeDoM's style: CLIP after its third block."""
    return _of_picture(record, lambda: Style(clip(record), 3), 224, gradients)


def text(record: Record) -> Inside:
    """FreeDoM's text: the first row of the recorded tokens."""
    if "token_ids" not in record.tensors:
        return Inside(Generation(), None, record.best("gradient"))
    task = Text(OfTokens(clip(record), record["token_ids"]), prompt="0")
    return Inside(task, task.measure(Examples(torch.zeros(1, 3, 1, 1)), NoiseStreams([])))  # of one image, whichever


def segmentation(record: Record) -> Inside:
    """Universal Guidance's."""
    if "ref64" not in record.tensors:
        return Inside(Generation(), None, -record.best("gradient_of_minus_loss"))
    shapes = record.shapes("lraspp_mobilenet_v3_large")
    task = FeatureTask(by_rule(lraspp.untrained, lraspp.LRASPP, 1.3, shapes=shapes), CrossEntropy())
    return Inside(task, task.measure(Examples(record.image(256, "ref64")), NoiseStreams([])))


def _of_picture(record: Record, make: Callable[[], Task], size: int, gradients: str) -> Inside:
    if "ref_coarse" not in record.tensors:
        return Inside(Generation(), None, record.best(gradients) if gradients in record.tensors else None)
    task = make()
    return Inside(task, task.measure(Examples(record.reference(size)), NoiseStreams([])))
