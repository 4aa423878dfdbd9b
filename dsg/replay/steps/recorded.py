"""What recorded steps are made of, as the project's own objects: prior, levels, measurement, draws, coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dsg.diffusion import Leading, NoiseSchedule
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.replay.record import Tensors
from dsg.replay.steps.read import RecordedStep
from tasks.base import InverseProblem, Measurement
from tasks.noise import GaussianNoise
from tasks.operators import Operator
from tasks.operators.mask import Mask
from tasks.operators.separable import Separable

STEPS = 50  # of the 1000 levels, t = 980, 960, ..., 0
Draws = Mapping[Purpose, Sequence[Tensor]]
"""Standard normal tensors, (B, *shape) each, by purpose and in the order in which they are used."""


class Tanh(Operator):
    """A(x) = tanh(2x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(2 * x)

    def norm(self, y: Tensor) -> Tensor:
        return y.new_full((len(y),), 2.0)


class Recorded(InverseProblem):
    """A task whose operator is given: A of a record, with Gaussian noise of `sigma`."""

    def __init__(self, operator: Operator, sigma: float) -> None:
        super().__init__(GaussianNoise(sigma))
        self._operator = operator

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Operator:
        return self._operator

    def noisy_numbers(self, measurement: Measurement) -> Tensor:
        """Those that a mask keeps."""
        if not isinstance(measurement.operator, Mask):
            return super().noisy_numbers(measurement)
        return torch.broadcast_to(measurement.operator.mask, measurement.y.shape).flatten(1).sum(dim=1)


class RecordedDraws(NoiseStreams):
    """Gives recorded draws back, those of each purpose in their order.

    Args:
        draws: standard normal tensors, (B, *shape) each, by purpose.
        batch: B.
        last: the step ends clean, where records have no z: it would be multiplied by 0, and is 0.
    """

    def __init__(self, draws: Draws, batch: int, last: bool) -> None:
        super().__init__([SampleKey(0, str(i)) for i in range(batch)])
        self._remaining = {purpose: list(tensors) for purpose, tensors in draws.items()}
        self._last = last

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        if remaining := self._remaining.get(purpose):
            return remaining.pop(0)
        if purpose == Purpose.REVERSE and self._last:
            return torch.zeros(len(self), *shape, dtype=torch.float64)
        raise UserError(f"the record has no further noise for {purpose}")


def prior(common: Tensors, clip: bool = False) -> GaussianMixture:
    """Σ w_k N(m_k, s_k² I) over (3,8,8); with `clip`, its x̂ is clamped to [−1, 1]."""
    schedule = NoiseSchedule.from_betas(common["schedule/betas"].numpy())
    means = common["prior/means"]
    model = GaussianMixture(
        common["prior/weights"], means, common["prior/s"] ** 2, shape=tuple(means.shape[1:]), schedule=schedule
    )
    model.clean_range = (-1.0, 1.0) if clip else None
    return model


def levels(model: GaussianMixture) -> list[Step]:
    """The 50 steps of the grid, noisiest first."""
    return Leading().steps(model.schedule, STEPS)


def step_of(record: RecordedStep, steps: Sequence[Step]) -> Step:
    """The step that a record is of. Raises UserError if it is none of the grid."""
    found = next((step for step in steps if step.t == record.t), None)
    if found is None:
        raise UserError(f"{record.file}: {record.tag}/{record.key} is no step of {STEPS} of 1000 levels")
    return found


def measured(record: RecordedStep, sigma: float | None = None) -> tuple[Recorded, Measurement]:
    """The task that a tag names and its recorded y: `sr2` means 2x2 mean, `tanh` tanh(2x), otherwise a mask.

    Args:
        record: of the step.
        sigma: σ_y; by default the tag's own, or that of the data.
    """
    common, shape = record.common, record.common["prior/means"].shape[1:]
    if "sr2" in record.tag:
        y, operator = "data/y_sr2", Separable(_mean_of_two(shape[-2]), _mean_of_two(shape[-1]))
    elif "tanh" in record.tag:
        y, operator = "data/target_tanh", Tanh()
    else:
        y, operator = "data/y_inpaint", Mask(record["mask"] if "mask" in record else common["data/mask"])
    if sigma is None:
        sigma = (record["sigma_y"] if "sigma_y" in record else common["data/sigma_y"]).item()
    return Recorded(operator, sigma), Measurement(record["y"] if "y" in record else common[y], operator)


def process_of(
    record: RecordedStep, kernel: ReverseKernel, draws: Draws, clip: bool = False, sigma: float | None = None
) -> tuple[ReverseProcess, Step]:
    """The process that a recorded step belongs to, with its draws, and the step."""
    model = prior(record.common, clip)
    steps = levels(model)
    step = step_of(record, steps)
    return process_through(record, steps, kernel, draws, model, sigma, last=step.is_last), step


def process_through(
    record: RecordedStep,
    steps: Sequence[Step],
    kernel: ReverseKernel,
    draws: Draws,
    model: GaussianMixture | None = None,
    sigma: float | None = None,
    last: bool = False,
) -> ReverseProcess:
    """A process of its own steps, with a tag's measurement and its draws; `last` is RecordedDraws'."""
    task, measurement = measured(record, sigma)
    streams = RecordedDraws(draws, len(measurement.y), last)
    return ReverseProcess(model or prior(record.common), task, measurement, kernel, streams, steps)


def one_by_one(draws: Tensor) -> list[Tensor]:
    """(B,K,*shape) as K draws of (B,*shape)."""
    return list(draws.unbind(1))


def _mean_of_two(size: int) -> Tensor:
    """The matrix that takes the mean of every two neighbours, (size/2, size) float64."""
    return torch.eye(size // 2, dtype=torch.float64).repeat_interleave(2, dim=1) / 2
