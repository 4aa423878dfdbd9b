"""A method of the contract, and how a test samples with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM, DDPM, ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance import Guidance
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from dsg.types import State
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
    process = sampler.begin(Examples(reference), streams)
    process.predict = Remembering(process.predict)
    return sampler, process


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


class Remembering:
    """A process's `predict` that keeps every x̂ in `estimates`, also of evaluations that no record tells of."""

    def __init__(self, predict: Callable[[State, Step], Prediction]) -> None:
        self.predict, self.estimates = predict, []

    def __call__(self, x_t: State, step: Step) -> Prediction:
        prediction = self.predict(x_t, step)
        self.estimates.append(prediction.clean_estimate.detach())
        return prediction


def agree(samples: Tensor, others: Tensor, estimates: list[Tensor], other_estimates: list[Tensor]) -> bool:
    """Whether samples are equal to 1e-4 when computed in two ways, by the x̂ on each way, that differ by rounding.

    The gradient jumps where a pixel of x̂ reaches the clamp at ±1. A sample may differ from the evaluation on at which
    rounding alone put a pixel on the other side of it: once in some hundred cases, others on every processor.
    """
    one, other = torch.stack(estimates), torch.stack(other_estimates)
    crossed = ((one.abs() >= 1) != (other.abs() >= 1)).flatten(2).any(dim=2)
    by_rounding = torch.isclose(one, other, atol=1e-5, rtol=0).flatten(2).all(dim=2).int().cumprod(dim=0).bool()
    excused = (crossed & by_rounding).any(dim=0)
    equal = torch.isclose(samples, others, atol=1e-4).flatten(1).all(dim=1)
    return bool((equal | excused).all())
