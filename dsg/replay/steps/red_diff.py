"""Recorded steps of RED-diff: two of Adam, one after the other, each with the gradient that it took."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.level import CLEAN, NoiseLevel, Step
from dsg.diffusion.noise import Purpose
from dsg.diffusion.prediction import Prediction
from dsg.guidance import REDDiff
from dsg.models.mixture import GaussianMixture
from dsg.replay.steps.read import RecordedStep
from dsg.replay.steps.recorded import Draws, prior, process_through
from dsg.replay.steps.replayed import Replayed, in_words
from dsg.types import State


class FedScaled(GaussianMixture):
    """The prior as InverseBench's RED-diff asks it: a network of x/√ā is given x, and takes it for x/√ā."""

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        epsilon = super().forward(level.signal * x_t, level, condition).epsilon
        return Prediction.from_epsilon(epsilon, x_t, level)


def reddiff_official(record: RecordedStep) -> Replayed:
    """The authors' code. Its means are over the batch of two as well, so that Adam's ε counts twice."""
    own = record.hyper[record.tag]
    guidance = REDDiff(
        own["grad_term_weight"], own["lr"], own["denoise_term_weight"], "mean", "pseudo_inverse", own["sigma_x0"],
        tuple(own["adam_betas"]), len(record["mu0"]) * own["adam_eps"],
    )  # fmt: skip
    noise = record.numbered()
    draws = {Purpose.MONTE_CARLO: noise[0::2] if guidance.dispersion else [], Purpose.REVERSE: noise[1::2]}
    times = [record.number("abar_t"), record.number("abar_second")]
    levels = [NoiseLevel.from_alpha_bar(0.0, alpha_bar) for alpha_bar in times if alpha_bar < 1.0]
    return _optimised(record, guidance, levels, draws, prior(record.common), record["mu0"])


def reddiff_inversebench(record: RecordedStep) -> Replayed:
    """InverseBench's: the gradient of ‖r‖², twice ours, so that Adam's ε counts half; the network is fed √ā x/√ā."""
    own = record.hyper[record.tag]
    weighting = "const" if own["schedule"] == "constant" else own["schedule"]
    guidance = REDDiff(0.5 * own["base_lambda"], own["lr"], weighting, adam_epsilon=0.5e-8)
    levels = [NoiseLevel.from_sigma(0.0, record.number(f"sigma{k}")) for k in range(2)]
    model = FedScaled(
        record.common["prior/weights"], record.common["prior/means"], record.common["prior/s"] ** 2,
        shape=tuple(record.common["prior/means"].shape[1:]),
    )  # fmt: skip
    model.clean_range = None
    draws = {Purpose.REVERSE: record.numbered()}
    found = _optimised(record, guidance, levels, draws, model, torch.zeros_like(record["mu_after0"]))
    return Replayed(f"{found.options}, with a network that takes x for x/√ā", found.ours)


def _optimised(
    record: RecordedStep,
    guidance: REDDiff,
    levels: Sequence[NoiseLevel],
    draws: Draws,
    model: GaussianMixture,
    start: State,
) -> Replayed:
    steps = [
        Step(level.t, level.log_snr, CLEAN, index=len(levels) - 1 - k, total=len(levels))
        for k, level in enumerate(levels)
    ]
    process = process_through(record, steps, DDIM(), draws, model)
    with torch.no_grad():
        records = list(guidance.optimise(start, process))
    return Replayed(in_words(guidance), {f"mu_after{k}": found.x_prev for k, found in enumerate(records)})
