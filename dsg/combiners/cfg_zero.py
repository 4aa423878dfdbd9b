"""CFG-Zero*: classifier-free guidance whose unconditional velocity is fitted, and that starts without one."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dsg.combiners.base import Evaluations, condition_of
from dsg.combiners.extrapolation import Extrapolation
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.types import State, expand_to


@dataclass(frozen=True)
class CFGZeroStar(Extrapolation):
    """Fan et al. 2025 (2503.18886), with the velocity v of the variance-preserving flow, each sample on its own:

        s* = ⟨v_c, v_u⟩/‖v_u‖²,   v = s* v_u + γ (v_c − s* v_u),   v = 0 on the first steps

    The paper has flow matching's velocity. Here v = √ā ε − √(1−ā) x̂; v = 0 means x̂ = √ā x_t, the estimate of one who
    knows no more than N(0, I), and takes no evaluation (a learned variance is then the posterior's).

    Args:
        guidance_scale: γ ≥ 0, a number or a ScaleSchedule; 1 is the conditional model, by one evaluation, and has no
            zero steps.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        optimized_scale: fit s*; otherwise s* = 1, which is classifier-free guidance.
        zero_steps: first steps with v = 0, at least 0; the authors advise 4 % of all steps.

    Raises:
        UserError: for values outside these ranges, or a model that has no classes or no null class.
    """

    optimized_scale: bool = True
    zero_steps: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.zero_steps < 0:
            raise UserError(f"zero_steps: must be at least 0, got {self.zero_steps}")

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        if step.position >= self.zero_steps or not self.is_guided(step):
            return super().predict(x_t, step, process)
        condition_of(process)
        smallest_variance = -torch.ones_like(x_t) if process.score_model.learns_variance else None
        return process.clamped(Prediction.from_velocity(torch.zeros_like(x_t), x_t, step, smallest_variance), x_t, step)

    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        conditional, unconditional = strong.velocity(step), weak.velocity(step)
        if self.optimized_scale:
            unconditional = _projection(conditional, unconditional)
        velocity = unconditional + self.scale(step) * (conditional - unconditional)
        return Prediction.from_velocity(velocity, x_t, step, strong.variance_range)


def _projection(of: State, onto: State) -> State:
    """⟨a, b⟩/‖b‖² b of each sample; zero for a zero b."""
    inner, squared = (of * onto).flatten(1).sum(1), onto.square().flatten(1).sum(1)
    return expand_to(inner / torch.where(squared > 0, squared, 1), onto) * onto
