"""Score models of two convolutions, with weights and noise by the rule: what the recorded samplers ran on.

    ε(x, t) = 0.9 x + 0.3 W₂ * tanh(W₁ * x + b t/1000 + c)

with 3x3 convolutions and zero padding. c is of latents alone: one vector for the prompt, one for the empty one. All of
it is float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.base import ScoreModel
from dsg.replay.nonlinear.rule import normal
from dsg.types import Image, State

_WIDTH = 8


class PixelStandIn(ScoreModel):
    """Pictures (3,side,side), with linear β of 1000 levels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.shape = (3, side, side)
        self.schedule = self.table = NoiseSchedule()
        self.inward, self.outward = _layer("noise.w1", (_WIDTH, 3, 3, 3)), _layer("noise.w2", (3, _WIDTH, 3, 3))
        self.bias = normal("noise.b", (_WIDTH,)).double().reshape(1, -1, 1, 1)

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        hidden = functional.conv2d(x_t, self.inward, padding=1) + self.bias * (level.t / 1000) + self.told(condition)
        epsilon = 0.9 * x_t + 0.3 * functional.conv2d(torch.tanh(hidden), self.outward, padding=1)
        return Prediction.from_epsilon(epsilon, x_t, level)

    def told(self, condition: Condition | None) -> Tensor | float:
        """c."""
        return 0.0


class LatentStandIn(PixelStandIn):
    """Latents (4,side,side) with Stable Diffusion's β, told a prompt or none, of pictures eight times as large.

    Args:
        of: what the names of the two conditions begin with, `sd.<set>`.
        side: of the latents.
    """

    num_classes, null_class = 1, 1  # any label is the prompt

    def __init__(self, of: str, side: int = 8) -> None:
        super().__init__(side)
        self.shape = (4, side, side)
        self.schedule = self.table = NoiseSchedule("scaled_linear", beta_start=0.00085, beta_end=0.012)
        self.inward, self.outward = _layer("sd.w1", (_WIDTH, 4, 3, 3)), _layer("sd.w2", (4, _WIDTH, 3, 3))
        self.bias = normal("sd.b", (_WIDTH,)).double().reshape(1, -1, 1, 1)
        self.to_colours = _layer("sd.wd", (3, 4, 1, 1))
        self.prompt, self.empty = (normal(f"{of}.{name}", (1, _WIDTH, 1, 1)).double() for name in ("c", "uc"))

    @property
    def image_shape(self) -> tuple[int, ...]:
        return 3, 8 * self.shape[1], 8 * self.shape[2]

    def told(self, condition: Condition | None) -> Tensor:
        return self.empty if condition is None else self.prompt

    def decode(self, state: State) -> Image:
        colours = functional.conv2d(state, self.to_colours)
        return functional.interpolate(colours, scale_factor=8, mode="bilinear", align_corners=False)


class DrawsByRule(NoiseStreams):
    """The K-th draw of a batch of one is z of the name `<of>.noise.K`, whatever it is for.

    Args:
        of: what the names begin with.
        first: K of the first.
        in_vain: the recorded code draws what goes back after every repetition, the last one too: that slot is passed
            over.
    """

    def __init__(self, of: str, first: int = 0, in_vain: bool = False) -> None:
        super().__init__([SampleKey(0, of)])
        self.of, self.in_vain = of, in_vain
        self.drawn = first
        """How many the recorded code has drawn by now."""

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        if self.in_vain and purpose == Purpose.RECURRENCE:
            return self._draw(self.drawn - 1, shape)
        number = self.drawn
        self.drawn += 2 if self.in_vain else 1
        return self._draw(number, shape)

    def _draw(self, number: int, shape: Sequence[int]) -> Tensor:
        return normal(f"{self.of}.noise.{number}", (1, *shape)).double()


def start(name: str, shape: Sequence[int]) -> State:
    """z of that name, (1, *shape)."""
    return normal(name, (1, *shape)).double()


def _layer(name: str, shape: tuple[int, ...]) -> Tensor:
    return (normal(name, shape) / torch.tensor(math.sqrt(math.prod(shape[1:])))).double()
