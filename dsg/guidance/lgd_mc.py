"""Loss-guided diffusion with Monte Carlo smoothing."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.guidance.base import LossGuidance
from dsg.guidance.window import check_at_least
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class LGDMC(LossGuidance):
    """Song et al., ICML 2023: the loss is averaged over a Gaussian around the clean estimate,

        g = ∇_{x_t} −log (1/K Σ_k exp(−L(x̂ + r z_k, y))),   r = s √(1−ā),   x_prev = μ + σ z − ζ g

    with one forward and one backward pass for all K draws.

    Args:
        step_size: ζ ≥ 0; 0 is the unguided sampler.
        draws: K ≥ 1.
        spread: s ≥ 0, in units of the paper's r for a variance-preserving diffusion; 0 is DPS.

    Raises:
        UserError: for values outside these ranges.
    """

    step_size: float = 8.0
    draws: int = 10
    spread: float = 1.0

    def __post_init__(self) -> None:
        check_at_least(self.step_size, 0, "step_size")
        check_at_least(self.draws, 1, "draws")
        check_at_least(self.spread, 0, "spread")

    def is_guided(self, step: Step) -> bool:
        return self.step_size > 0.0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        radius = self.spread * step.noise
        kind = "smoothed_loss" if radius > 0.0 else "loss"
        return process.loss_gradient(x_t, step, process.smoothed_loss(x_t, radius, self.draws), kind)

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        return guided.unguided - self.step_size * guided.gradient
