"""A recorded step taken again: by which options, and how far from the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass

import torch
from torch import Tensor

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.noise import Purpose
from dsg.guidance.base import Guidance, LossGuidance
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.recorded import Draws, process_of

FLOAT64 = 1e-9
FLOAT32 = 2e-7
"""Of records whose code kept the coefficients of its schedule in float32."""
MOST_REPEATS = 10
"""How often a recorded step is taken at most: FreeDoM's time travel."""


@dataclass(frozen=True)
class Replayed:
    """What ours are, beside what is recorded.

    Args:
        options: the objects, named in words, that make the record's numbers.
        ours: tensors by the names that they have in the record.
        tolerance: the largest deviation that is equality.
    """

    options: str
    ours: Mapping[str, Tensor]
    tolerance: float = FLOAT64

    def deviation(self, record: RecordedStep) -> float:
        """The largest |ours − recorded| of any number."""
        return max((ours - record[name]).abs().max().item() for name, ours in self.ours.items())


@dataclass(frozen=True)
class Unequal:
    """A step that no option makes equal, and why."""

    reason: str


Entry = Callable[[RecordedStep], Replayed | Unequal]
Table = Mapping[str, Entry]
"""How the steps of a file are taken again: by its name, or by `file/start of the tag` where it has several methods."""


def taken(
    record: RecordedStep,
    guidance: Guidance,
    kernel: ReverseKernel,
    draws: Draws,
    *,
    clip: bool = False,
    sigma: float | None = None,
    exploding: bool = False,
    tolerance: float = FLOAT64,
) -> Replayed:
    """x_prev of a step of `guidance` from the recorded x_t, taken as often as the method repeats it.

    Args:
        record: of the step.
        guidance: the method.
        kernel: the reverse kernel.
        draws: the recorded noise by purpose, in the order in which the method draws.
        clip: clamp x̂ to [−1, 1].
        sigma: σ_y; by default the record's.
        exploding: the recorded states are x/√ā = x_0 + σ ε.
        tolerance: what is equality.
    """
    if not kernel.is_stochastic and not draws.get(Purpose.REVERSE):  # its code drew none, and ours multiplies it by 0
        draws = {**draws, Purpose.REVERSE: [torch.zeros_like(record["x_t"])] * MOST_REPEATS}
    process, step = process_of(record, kernel, draws, clip, sigma)
    x_t = record["x_t"] * (step.signal if exploding else 1.0)
    with torch.no_grad():
        take = guidance.repeated_step if isinstance(guidance, LossGuidance) else guidance.step
        x_prev = take(x_t, step, process).x_prev
    x_prev = x_prev / (step.prev.signal if exploding else 1.0)
    return Replayed(f"{in_words(guidance)}, {in_words(kernel)}", {"x_prev": x_prev}, tolerance)


def in_words(value: object) -> str:
    """An object by its class and the options that are not their defaults."""
    if not is_dataclass(value):
        return f"{value:g}" if isinstance(value, float) else repr(value)
    options = []
    for field in fields(value):
        own = getattr(value, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if default is MISSING or own != default:
            options.append(f"{field.name}={in_words(own)}")
    return f"{type(value).__name__}({', '.join(options)})"
