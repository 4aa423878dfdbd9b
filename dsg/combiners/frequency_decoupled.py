"""Frequency-decoupled guidance: one scale for what is coarse, another for what is fine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch.nn.functional import avg_pool2d, interpolate, pad

from dsg.combiners.base import Evaluations
from dsg.combiners.extrapolation import Extrapolation
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State


@dataclass(frozen=True)
class FrequencyDecoupled(Extrapolation):
    """Sadat et al. 2025 (2506.19713), eq. 8, on a Laplacian pyramid of two levels (Burt & Adelson 1983):

        Δ = ε_c − ε_u,   Δ_low = up(down(Δ)),   Δ_high = Δ − Δ_low
        ε = ε_u + γ_low Δ_low + γ_high Δ_high

    A large scale of low frequencies makes colours garish and samples alike; of high ones it makes details sharp. With
    one scale for both it is classifier-free guidance. `down` blurs by the binomial filter (1, 4, 6, 4, 1)/16 and halves
    by bilinear interpolation, `up` is the reverse; borders are repeated, which published code mirrors. Linear, so the
    same whether it acts on ε, x̂ or v.

    Args:
        guidance_scale: γ_low ≥ 0, a number, a ScaleSchedule, or one for each class; below `high_scale` in the paper.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        high_scale: γ_high ≥ 0. Where both are 1, the conditional model, by one evaluation.

    Raises:
        UserError: for values outside these ranges, a model that has no classes or no null class, or whose states are
            no pictures.
    """

    high_scale: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.high_scale < math.inf:
            raise UserError(f"high_scale: γ must be at least 0 and finite, got {self.high_scale}")

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        super().check(score_model, kernel)
        if len(score_model.shape) != 3:
            raise UserError(
                f"FrequencyDecoupled needs states (C, H, W), and those of {type(score_model).__name__} are "
                f"{tuple(score_model.shape)}; use ClassifierFree"
            )

    @property
    def corrects(self) -> bool:
        return super().corrects or self.high_scale != 1.0

    def is_guided(self, step: Step) -> bool:
        return super().is_guided(step) or (self.in_interval(step) and self.high_scale != 1.0)

    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        low = self.scale(x_t, step, process)
        combined = weak.towards(strong, low)
        return Prediction(
            combined.clean_estimate + (self.high_scale - low) * fine(strong.clean_estimate - weak.clean_estimate),
            combined.epsilon + (self.high_scale - low) * fine(strong.epsilon - weak.epsilon),
            combined.variance_range,
        )


def fine(x: State) -> State:
    """x − up(down(x)) of pictures (B,C,H,W): the finest level of their Laplacian pyramid."""
    height, width = x.shape[-2:]
    small = interpolate(blurred(x), ((height + 1) // 2, (width + 1) // 2), mode="bilinear", align_corners=False)
    return x - blurred(interpolate(small, (height, width), mode="bilinear", align_corners=False))


def blurred(x: State) -> State:
    """Pictures (B,C,H,W) under the binomial filter (1, 4, 6, 4, 1)/16 along both axes: four means of two neighbours."""
    x = pad(x, (2, 2, 2, 2), mode="replicate")
    for _ in range(4):
        x = avg_pool2d(x, 2, stride=1)
    return x
