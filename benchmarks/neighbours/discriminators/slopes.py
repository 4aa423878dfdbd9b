"""A score that is wrong at some levels: what the best discriminators leave of the error in the samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from benchmarks.experiments.findings import Check
from benchmarks.neighbours.discriminators.oscillating import DATA, gaussian
from benchmarks.neighbours.exact.score_slope import Sampler, Window, variance_path, variances
from benchmarks.theory.bias import Moments
from benchmarks.theory.ensemble import sample
from dsg.combiners import Conditional, DiscriminatorGuidance
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.models.discriminator import Discriminator, MixtureDiscriminator
from dsg.models.wrapped import WrappedModel
from dsg.types import PerSample, State

DELTA = 0.5
WINDOWS: dict[str, Window] = {"ā > 1/2": (0.0, math.log(2)), "1/8 < ā < 1/2": (math.log(2), 3 * math.log(2))}
NAMES = ("none", "of noised samples", "of its own marginals", "refined")


class WrongSlope(WrappedModel):
    """The score of N(0, 1), −(1 + δ) x in a window of τ = −log ā."""

    def __init__(self, window: Window) -> None:
        super().__init__(DATA)
        self.window = window
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        prediction = self.score_model(x_t, level, condition)
        wrong = self.window[0] < -level.log_alpha_bar <= self.window[1]
        return prediction.shifted(DELTA * level.noise * x_t, level) if wrong else prediction


class Squares(Discriminator):
    """The logit a(τ) x²/2, whose gradient is a x.

    Args:
        slope: τ ↦ a.
    """

    shape = (1,)

    def __init__(self, slope: Callable[[float], float]) -> None:
        super().__init__()
        self.slope = slope

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        return self.slope(min(-level.log_alpha_bar, 25.0)) * x_t[:, 0].double() ** 2 / 2


def measured(window: Window, discriminator: Discriminator | None, sampler: Sampler, steps: int) -> float:
    """The samples' variance, from their law at each step."""
    combiner = Conditional() if discriminator is None else DiscriminatorGuidance(discriminator=discriminator)
    model = WrongSlope(window)
    if sampler == "SDE":
        law = Moments()
        sample(model, 0, 16, EulerMaruyama(), steps, combiner=combiner, observe=law)
        return law.variance
    starts = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    low, high = sample(model, 0, 2, Heun(), steps, combiner=combiner, x_T=starts)[:, 0].tolist()
    return ((high - low) / 2) ** 2


def slopes(reduced: bool) -> tuple[list[list[str | float | int]], list[Check]]:
    """Rows by window and sampler, and the checks."""
    steps, fine = (150, 0.06) if reduced else (600, 0.02)
    rows, checks = [], []
    for name, window in WINDOWS.items():
        for sampler in ("SDE", "ODE"):
            exact = (*variances(DELTA, window, sampler), 1.0)
            alone = variance_path(sampler, window, lambda _: DELTA, lambda _: 0.0)

            def refined(tau: float, window: Window = window) -> float:
                return DELTA if window[0] < tau <= window[1] else 0.0

            discriminators = (
                None,
                MixtureDiscriminator(DATA, gaussian(0.0, exact[0])),
                Squares(lambda tau, alone=alone: 1 / alone(tau) - 1),
                Squares(refined),
            )
            row: list[str | float | int] = [name, sampler]
            for kind, discriminator, wanted in zip(NAMES, discriminators, exact, strict=True):
                found = measured(window, discriminator, sampler, steps) if not reduced or kind == NAMES[1] else wanted
                row += [found, wanted]
                what = f"discriminator, wrong where {name}, {sampler}, discriminator {kind}"
                checks.append(Check(f"{what}, variance", found, wanted, fine * max(1.0, wanted)))
            rows.append(row)
    return rows, checks
