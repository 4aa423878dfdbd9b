"""Loss-guided diffusion with Monte Carlo smoothing."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.additive import AdditiveGuidance
from dsg.guidance.window import check_at_least
from dsg.process import LossGradient, ReverseProcess
from dsg.process.averages import AVERAGES, AverageName
from dsg.types import State


@dataclass(frozen=True)
class LGDMC(AdditiveGuidance):
    """Song et al., ICML 2023: the loss is averaged over a Gaussian around the clean estimate,

        g = ∇_{x_t} −log (1/K Σ_k exp(−L(x̂ + r z_k, y))),   r = s √(1−ā),   x_prev = μ + σ z − ζ g

    with one forward and one backward pass for all K draws. Re-implementations average otherwise: the TFG repository
    divides by K once more, InverseBench takes √(Σ L²)/K, with the rule `Exploding`.

    Args:
        step_size: ζ ≥ 0; 0 is the unguided sampler.
        draws: K ≥ 1.
        spread: s ≥ 0, in units of the paper's r for a variance-preserving diffusion; 0 is DPS.
        average: `log_mean_exp` is the paper's; `log_mean_exp_over_draws` the TFG repository's, 1/K of it;
            `root_sum_square_over_draws` InverseBench's.
        rule: ρ, a factor on ζ (`dsg.guidance.step_rules`); `Constant` is the paper's.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for values outside these ranges.
    """

    step_size: float = 8.0
    draws: int = 10
    spread: float = 1.0
    average: AverageName = "log_mean_exp"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self.draws, 1, "draws")
        check_at_least(self.spread, 0, "spread")
        if self.average not in AVERAGES:
            raise UserError(f"average: LGD-MC's must be one of {', '.join(AVERAGES)}, got {self.average!r}")

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        radius = self.spread * step.noise
        kind = "smoothed_loss" if radius > 0.0 else "loss"
        loss = process.smoothed_loss(x_t, radius, self.draws, AVERAGES[self.average])
        return process.loss_gradient(x_t, step, loss, kind)
