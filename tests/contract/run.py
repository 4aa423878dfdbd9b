"""A method of the contract, and how a test samples with it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.guidance import Guidance
from dsg.kernels import DDIM, DDPM, ReverseKernel
from dsg.models.base import ScoreModel
from dsg.noise import NoiseStreams, SampleKey
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from dsg.trace import StepRecord
from tasks import Task

STEPS = 10


@dataclass(frozen=True)
class Method:
    """A guidance and what it declares.

    Args:
        guidance: of ordinary strength: it lowers the loss.
        zero: its twin of zero strength, or None.
        evaluations: network evaluations of STEPS steps, (forward, backward); None for STEPS and at most STEPS.
        without_zero: why there is no twin.
    """

    guidance: Guidance
    zero: Guidance | None
    evaluations: tuple[int, int] | None
    without_zero: str = "the method has no strength"


def references(count: int) -> Tensor:
    """Smooth random images, (count, 3, 16, 16) in [−1, 1]."""
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.avg_pool2d(images, 5, 1, 2) * 2


def begin(
    model: ScoreModel, task: Task, guidance: Guidance, reference: Tensor, streams: NoiseStreams
) -> tuple[Sampler, ReverseProcess]:
    """The sampler and the process of one batch; skips the test where the method refuses the case before sampling."""
    kernel: ReverseKernel = DDPM("learned_range") if model.learns_variance else DDIM(eta=1.0)
    try:
        guidance.check(kernel, task, model)
    except UserError as refusal:
        pytest.skip(str(refusal))
    sampler = Sampler(model, task, guidance, kernel, STEPS)
    return sampler, sampler.begin(reference, streams)


def keys(names: str | list[str], seed: int = 0) -> list[SampleKey]:
    """One a name; a string is a list of letters."""
    return [SampleKey(seed, name) for name in names]


def sample(
    model: ScoreModel, task: Task, guidance: Guidance, reference: Tensor, names: str | list[str], seed: int = 0
) -> tuple[Tensor, list[StepRecord], ReverseProcess]:
    """The samples, a record a step, and the process that counted the evaluations."""
    sampler, process = begin(model, task, guidance, reference, NoiseStreams(keys(names, seed)))
    records = list(sampler.run(process))
    return records[-1].x_prev, records, process


def agree(samples: Tensor, others: Tensor) -> bool:
    """Whether samples, at least three, that were computed in two ways are equal to 1e-4; one of them may not be.

    The gradient jumps where a pixel of x̂ reaches the clamp at ±1. Rounding puts a pixel on the other side of it once in
    some hundred samples, by another pixel on every processor; what is wrong in a method changes more than one.
    """
    equal = torch.isclose(samples, others, atol=1e-4).flatten(1).all(dim=1)
    return int(equal.sum()) >= len(equal) - 1
