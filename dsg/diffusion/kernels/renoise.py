"""Noise put back on the clean estimate: a share of it fresh."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from dsg.diffusion.continuous import flow_time
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

    FlowDPS (Kim et al. 2025, 2503.08136, algorithm 1) has √(1−t') for η, with the time t' that a rectified flow has at
    ā_prev: on a flow, x = (1−t) x_0 + t ε, that is Euler's step with the noise √t' ε + √(1−t') z in ε's place.

    Args:
        eta: η in [0, 1]: 0 keeps the noise that is in x_t and is DDIM's with η = 0, 1 draws all of it afresh; `flow` is
            FlowDPS's share, which grows towards the data.

    Raises:
        UserError: for η outside its range.
    """

    eta: float | Literal["flow"] = 0.85

    renoises: ClassVar[bool] = True
    becomes_exact: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.eta != "flow" and not (isinstance(self.eta, int | float) and 0.0 <= self.eta <= 1.0):
            raise UserError(f"eta: Renoise's η must be in [0, 1], or flow, got {self.eta}")

    @property
    def is_stochastic(self) -> bool:
        return self.eta != 0.0

    def share(self, step: Step) -> float:
        """η of this step."""
        return math.sqrt(1.0 - flow_time(step.prev.log_snr)) if isinstance(self.eta, str) else self.eta

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict: Predict | None = None) -> Transition:
        eta = self.share(step)
        kept = step.prev.noise * math.sqrt(1.0 - eta**2)
        mean = step.prev.signal * prediction.clean_estimate + kept * prediction.epsilon
        return Transition(mean, eta * step.prev.noise)
