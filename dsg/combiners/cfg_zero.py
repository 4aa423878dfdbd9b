"""CFG-Zero*: classifier-free guidance whose unconditional velocity is fitted, and that starts without one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from dsg.combiners.acted_on import ActsOnOne, On, kind_of, part, with_part
from dsg.combiners.base import Evaluations, condition_of
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.prediction_types import both_halves
from dsg.types import State, expand_to


@dataclass(frozen=True)
class CFGZeroStar(ActsOnOne):
    """Fan et al. 2025 (2503.18886), with the velocity v of the variance-preserving flow, each sample on its own:

        s* = ⟨v_c, v_u⟩/‖v_u‖²,   v = s* v_u + γ (v_c − s* v_u),   v = 0 on the first steps

    The paper has flow matching's velocity (`acts_on` velocity). Here v = √ā ε − √(1−ā) x̂; v = 0 means x̂ = √ā x_t, the
    estimate of one who knows no more than N(0, I), and takes no evaluation (a learned variance is then the
    posterior's). diffusers fits and zeroes whatever the network predicts (`acts_on` prediction) and has a `floor` of
    1e-8; its `use_original_formulation` counts w = γ − 1 as its scale, and is the same map.

    Args:
        guidance_scale: γ ≥ 0, a number, a ScaleSchedule, or one for each class; 1 is the conditional model, by
            one evaluation, and has no zero steps.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        optimized_scale: fit s*; otherwise s* = 1, which is classifier-free guidance.
        zero_steps: first steps with v = 0, at least 0; the authors advise 4 % of all steps.
        acts_on: what stands for v: `v`, `velocity`, `epsilon`, `denoised`, or the network's own `prediction`.
        floor: added to ‖v_u‖², at least 0; 0 is the formula, published code has 1e-8.

    Raises:
        UserError: for values outside these ranges, or a model that has no classes or no null class.
    """

    optimized_scale: bool = True
    zero_steps: int = 1
    acts_on: On = "v"
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.zero_steps < 0:
            raise UserError(f"zero_steps: must be at least 0, got {self.zero_steps}")
        if not 0.0 <= self.floor < math.inf:
            raise UserError(f"floor: must be at least 0 and finite, got {self.floor}")

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        if step.position >= self.zero_steps or not self.is_guided(step):
            return super().predict(x_t, step, process)
        condition_of(process)
        smallest_variance = -torch.ones_like(x_t) if process.score_model.learns_variance else None
        kind = kind_of(self.acts_on, process.score_model)
        return process.clamped(both_halves(torch.zeros_like(x_t), x_t, step, kind, smallest_variance), x_t, step)

    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        kind = kind_of(self.acts_on, process.score_model)
        conditional, unconditional = part(strong, kind, step), part(weak, kind, step)
        if self.optimized_scale:
            unconditional = _projection(conditional, unconditional, self.floor)
        combined = unconditional + self.scale(x_t, step, process) * (conditional - unconditional)
        return with_part(strong, kind, combined, x_t, step)


def _projection(of: State, onto: State, floor: float) -> State:
    """⟨a, b⟩/(‖b‖² + floor) b of each sample; zero for a zero b."""
    inner, squared = (of * onto).flatten(1).sum(1), onto.square().flatten(1).sum(1) + floor
    return expand_to(inner / torch.where(squared > 0, squared, 1), onto) * onto
