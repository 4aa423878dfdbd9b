"""Several tasks at once: their losses, each with its strength, add up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dsg.data.examples import Examples, Value
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.types import Image, PerSample
from tasks.base import Measurement, Task
from tasks.operators import Operator


@dataclass(frozen=True)
class Together(Operator):
    """A(x) = (A₁(x), A₂(x), ...), each flattened, (B,C,H,W) → (B,M)."""

    operators: tuple[Operator, ...]

    def forward(self, x: Image) -> Tensor:
        return _flat([operator.forward(x) for operator in self.operators])


@dataclass(frozen=True)
class Parts(Measurement):
    """The measurements of several tasks: y and A have all of them, flattened.

    Args:
        parts: one a task.
    """

    parts: tuple[Measurement, ...]


class Sum(Task):
    """L(x̂) = Σ_i s_i L_i(x̂), of tasks with strengths: identity and segmentation, inpainting and a text.

    The result is compared with what the first of them compares it with that compares it with anything.

    Args:
        tasks: at least one, of one medium; each draws from its own streams only if it draws at all.
        strengths: s_i > 0, as many as tasks; null is 1 each.

    Raises:
        UserError: for no task, or strengths that do not fit.
    """

    def __init__(self, tasks: Sequence[Task], strengths: Sequence[float] | None = None) -> None:
        strengths = [1.0] * len(tasks) if strengths is None else list(strengths)
        if not tasks or len(strengths) != len(tasks):
            raise UserError(f"strengths: need one a task, got {len(strengths)} for {len(tasks)} tasks")
        if not all(0.0 < strength < float("inf") for strength in strengths):
            raise UserError(f"strengths: must be above 0, got {strengths}; leave a task out instead")
        self.tasks = tuple(tasks)
        self.strengths = tuple(strengths)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """What all the tasks need."""
        return frozenset().union(*(task.needs for task in self.tasks))

    @property
    def compared_with(self) -> str | None:  # type: ignore[override]
        """What the first task that compares with anything does."""
        return next((task.compared_with for task in self.tasks if task.compared_with is not None), None)

    def needed(self, columns: Set[str]) -> frozenset[str]:
        return frozenset().union(*(task.needed(columns) for task in self.tasks))

    def compares(self, columns: Set[str]) -> str | None:
        return next((name for task in self.tasks if (name := task.compares(columns)) is not None), None)

    def networks(self) -> tuple[nn.Module, ...]:
        return tuple(network for task in self.tasks for network in task.networks())

    def check(self, shape: tuple[int, ...]) -> None:
        for task in self.tasks:
            task.check(shape)

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        for task in self.tasks:
            task.check_examples(known)

    @property
    def takes_given(self) -> bool:
        return any(task.takes_given for task in self.tasks)

    def measure(self, examples: Examples, streams: NoiseStreams) -> Parts:
        return _together([task.measure(examples, streams) for task in self.tasks])

    def given(self, examples: Examples, streams: NoiseStreams, shape: tuple[int, ...]) -> Parts:
        """What was measured goes to the tasks that take it; the others measure."""
        return _together(
            [t.given(examples, streams, shape) if t.takes_given else t.measure(examples, streams) for t in self.tasks]
        )

    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        pairs = zip(self.tasks, self.strengths, self._parts(measurement), strict=True)
        return torch.stack([s * task.loss(clean_estimate, part) for task, s, part in pairs]).sum(0)

    def residual(self, clean_estimate: Image, measurement: Measurement) -> PerSample | None:
        """That of the first task that has one."""
        pairs = zip(self.tasks, self._parts(measurement), strict=True)
        return next((r for task, part in pairs if (r := task.residual(clean_estimate, part)) is not None), None)

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """Those of all the tasks; of tasks of one name the first has it, and the next `<name>_2`, ..."""
        told: dict[str, PerSample] = {}
        for task, part in zip(self.tasks, self._parts(measurement), strict=True):
            for name, values in task.scores(samples, part).items():
                told[_new(name, told)] = values
        return told

    def picture(self, measurement: Measurement) -> Image:
        """The pictures of all the tasks, one below the other, as wide as the widest."""
        shown = [task.picture(part) for task, part in zip(self.tasks, self._parts(measurement), strict=True)]
        shown = [picture.expand(-1, 3, -1, -1) for picture in shown]  # grey beside coloured ones
        width = max(picture.shape[-1] for picture in shown)
        return torch.cat([_as_wide(picture, width) for picture in shown], dim=-2)

    def _parts(self, measurement: Measurement) -> tuple[Measurement, ...]:
        assert isinstance(measurement, Parts)  # of `measure`
        return measurement.parts


def _together(parts: Sequence[Measurement]) -> Parts:
    operators = Together(tuple(part.operator for part in parts))
    return Parts(_flat([part.y for part in parts]), operators, tuple(parts))


def _flat(values: Sequence[Tensor]) -> Tensor:
    dtype = torch.promote_types(torch.float32, max((v.dtype for v in values), key=lambda d: d.itemsize))
    return torch.cat([value.reshape(len(value), -1).to(dtype) for value in values], dim=1)


def _new(name: str, taken: dict[str, PerSample]) -> str:
    """The name, or the first of <stem>_2_<ending>, ... that is free: endings say which way is better."""
    count, found = 1, name
    stem, _, ending = name.rpartition("_")
    while found in taken:
        count += 1
        found = f"{stem}_{count}_{ending}"
    return found


def _as_wide(picture: Image, width: int) -> Image:
    height = round(picture.shape[-2] * width / picture.shape[-1])
    return picture if picture.shape[-1] == width else functional.interpolate(picture, (height, width), mode="nearest")
