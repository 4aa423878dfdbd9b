"""Training-free guidance: the union of the loss-guidance methods, by its hyper-parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dsg.diffusion.level import Step
from dsg.guidance.base import LossGuidance
from dsg.guidance.curve import Curve, weight
from dsg.guidance.window import Windowed, check_at_least
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class TFG(Windowed, LossGuidance):
    """Ye et al. 2024 (2409.15761), algorithm 1. With L̃ the loss averaged over K draws around x̂ of std σ̄ √(1−ā),
    the same ones all through a step:

        Δ_var = −ρ s_ρ(t) ∇_{x_t} L̃(x̂(x_t)),   Δ_mean: N_iter steps of size μ s_μ(t) down ∇_x̂ L̃ from x̂
        x_prev = kernel(x_t, x̂) + Δ_var/√(ā/ā_prev) + √ā_prev Δ_mean

    each step taken N_recur times. Up to the schedules ρ alone is DPS, FreeDoM with recurrence and LGD-MC with σ̄;
    μ alone is MPGD, and both are UGD.

    Args:
        rho: strength ρ ≥ 0 of the variance guidance, through the network.
        mu: strength μ ≥ 0 of the mean guidance, in clean space.
        sigma: σ̄ ≥ 0 of the smoothing.
        rho_curve: s_ρ(t), of mean 1.
        mu_curve: s_μ(t), of mean 1.
        sigma_curve: `decrease` as published, std σ̄ √(1−ā); or `constant`, std σ̄.
        iterations: N_iter ≥ 1 steps of the mean guidance.
        recurrence: N_recur ≥ 1.
        draws: K ≥ 1 draws of the smoothing; without effect where σ̄ = 0.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for values outside these ranges; before the first sample, with ρ > 0, for levels that start at ā = 0.
    """

    rho: float = 4.0
    mu: float = 1.0
    sigma: float = 0.0
    rho_curve: Curve = "increase"
    mu_curve: Curve = "increase"
    sigma_curve: Literal["constant", "decrease"] = "decrease"
    iterations: int = 4
    recurrence: int = 1
    draws: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rho", "mu", "sigma"):
            check_at_least(getattr(self, name), 0, name)
        for name in ("iterations", "recurrence", "draws"):
            check_at_least(getattr(self, name), 1, name)

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.rho > 0.0  # Δ_var is divided by √(ā/ā_prev)

    def is_guided(self, step: Step) -> bool:
        return (self.rho > 0.0 or self.mu > 0.0) and self.in_window(step)

    def repeats(self, step: Step) -> int:
        return self.recurrence

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """∇_{x_t} L̃; for ρ = 0, where no pass through the network is used, ∇_x̂ L̃, so that DSG over this method follows
        what it moves by."""
        std = self.sigma * (step.noise if self.sigma_curve == "decrease" else 1.0)
        loss = process.smoothed_loss(x_t, std, self.draws)
        if self.rho > 0.0:
            return process.loss_gradient(x_t, step, loss, "smoothed_loss" if std > 0.0 else "loss")
        prediction = process.predict(x_t, step)
        clean = process.clean_loss_gradient(prediction.clean_estimate, loss)
        return LossGradient(prediction, *clean, "clean_loss", loss)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        step, guide = guided.step, guided.guide
        variance_part = 0.0
        if self.rho > 0.0:
            rho = self.rho * weight(self.rho_curve, step, process.steps)
            variance_part = -rho * guide.gradient / math.sqrt(1.0 - step.beta)
        mean_part = step.prev.signal * (self._ascended(guide, step, process) - guide.prediction.clean_estimate)
        return guided.unguided + variance_part + mean_part

    def _ascended(self, guide: LossGradient, step: Step, process: ReverseProcess) -> State:
        """x̂ after N_iter steps, all with the draws of the step."""
        estimate, mu = guide.prediction.clean_estimate, self.mu * weight(self.mu_curve, step, process.steps)
        for k in range(self.iterations if mu > 0.0 else 0):
            known = k == 0 and self.rho == 0.0
            gradient = guide.gradient if known else process.clean_loss_gradient(estimate, guide.objective)[1]
            estimate = estimate - mu * gradient
        return estimate
