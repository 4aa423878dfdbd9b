"""How much of the measurement the first step uses, where the posterior is known."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.prediction import Prediction
from dsg.metrics.posterior import moments
from dsg.models.mixture import GaussianMixture
from dsg.process.trace import StepRecord
from dsg.types import State


def guided_estimate(record: StepRecord, kernel: ReverseKernel) -> State | None:
    """x̂ of the ordinary step that would have ended where this one did, (B, *shape): the network's x̂ + shift/c.

    The kernel's mean is linear in its prediction; with ε that belongs to x̂ it moves by c as x̂ moves by 1, by DDIM

        c = √ā_prev − √(1−ā_prev−σ²) √ā/√(1−ā)

    None of a method whose noise is not known, and under a kernel that evaluates further on its way.
    """
    if record.shift is None or kernel.evaluations > 1:
        return None
    one = torch.ones(1, *record.x_t.shape[1:], dtype=torch.float64)
    unit = Prediction(one, -record.step.signal / record.step.noise * one)
    c = kernel.transition(0 * one, unit, record.step).mean.mean().item()
    return record.prediction.clean_estimate + record.shift / c


def use_of_measurement(estimates: Tensor, prior: GaussianMixture, posterior: GaussianMixture) -> float | None:
    """How far the mean m of `estimates` is on the way from the prior's mean to the posterior's:

        ⟨m − E[x], E[x|y] − E[x]⟩/‖E[x|y] − E[x]‖²

    0 where y is not used, 1 at the posterior's mean, which is E[x | x_T, y] at t = T; above 1 it goes beyond. The probe
    of Wang et al. 2025 (2505.16474), who compare the prediction from pure noise with that of a deterministic predictor.

    Args:
        estimates: (n, d), of n samples of one measurement.

    Returns:
        None where y does not move the mean.
    """
    (start, _), (end, _) = moments(prior), moments(posterior)
    way = end - start
    length = way.square().sum().item()
    return ((estimates.double().mean(0) - start) @ way).item() / length if length > 0 else None
