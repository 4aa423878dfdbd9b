"""Diffusion posterior sampling."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.guidance.additive import AdditiveGuidance


@dataclass(frozen=True)
class DPS(AdditiveGuidance):
    """Chung et al. 2023 (2209.14687), algorithm 1, in the form of their code:

        x_prev = μ + σ z − ζ ∇_{x_t} ‖y − A x̂(x_t)‖₂

    The norm is each sample's own and not squared; the paper's ζ'/‖r‖ ∇‖r‖² is the same step with ζ = 2ζ'. The TFG
    repository's is divided by ‖r‖ once more: rule `OverLoss`; InverseBench's is a constant step of x/√ā: `Exploding`.

    Args:
        step_size: ζ ≥ 0; 0 is the unguided sampler.
        rule: ρ, a factor on ζ (`dsg.guidance.step_rules`); `Constant` is the paper's.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).
    """
