"""Noise put back on the clean estimate: a fixed share of it fresh."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from dsg.diffusion.kernels.base import Predict, ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.types import State


@dataclass(frozen=True)
class Renoise(ReverseKernel):
    """The step of DDNM's code (η = 0.85) and of FreeDoM's face code (η = 0.5), whose papers have DDPM or DDIM:

        x_prev = √ā_prev x̂ + √(1−ā_prev) (η z + √(1−η²) ε)

    It is DDIM's form with σ = η √(1−ā_prev), so that the share of fresh noise does not shrink with the step: as steps
    get fine it does not become the reverse process. On data N(0, 1) with the exact score it then ends at variance
    (1 + √(1−η²))/2, which is 0.93 for η = 0.5 and 0.76 for 0.85. With the few steps that it is used with, the fresh
    noise hides what guidance did wrong before.

    Args:
        eta: η in [0, 1]: 0 keeps the noise that is in x_t and is DDIM's with η = 0, 1 draws all of it afresh.

    Raises:
        UserError: for η outside its range.
    """

    eta: float = 0.85

    renoises: ClassVar[bool] = True
    becomes_exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.eta <= 1.0:
            raise UserError(f"eta: Renoise's η must be in [0, 1], got {self.eta}")

    @property
    def is_stochastic(self) -> bool:
        return self.eta > 0.0

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        kept = step.prev.noise * math.sqrt(1.0 - self.eta**2)
        mean = step.prev.signal * prediction.clean_estimate + kept * prediction.epsilon
        return Transition(mean, self.eta * step.prev.noise)
