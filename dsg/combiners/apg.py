"""Adaptive projected guidance: classifier-free guidance with less oversaturation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dsg.combiners.acted_on import ActsOnOne, On, kind_of, part, with_part
from dsg.combiners.base import Evaluations
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.types import State, direction, expand_to, per_sample_norm


@dataclass(frozen=True)
class APG(ActsOnOne):
    """Sadat et al. 2024 (2410.02416), on the clean estimates x, each sample on its own:

        Δ = x_c − x_u                               the guidance
        Δ ← Δ + β Δ_before                          momentum, over the steps
        Δ ← Δ min(1, r/‖Δ‖)                         norm cap
        Δ = Δ_∥ + Δ_⊥,   Δ_∥ = ⟨Δ, x_c⟩/‖x_c‖² x_c    the parallel part oversaturates
        x = x_c + (γ − 1)(Δ_⊥ + η Δ_∥)

    diffusers acts on whatever the network predicts (`acts_on` prediction) and starts from the unconditional one by
    default, x = x_u + γ (Δ_⊥ + η Δ_∥) (`start` unconditional); its `use_original_formulation` is the paper's form and
    counts w = γ − 1 as its scale.

    β = 0, r = ∞ and η = 1 are classifier-free guidance. The momentum is the batch's and carries no gradient; a step
    that is taken again (time travel) starts from the same Δ_before.

    Args:
        guidance_scale: γ ≥ 0, a number, a ScaleSchedule, or one for each class; 1 is the conditional model, by
            one evaluation.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        momentum: β in (−1, 1); the paper's is negative.
        norm_threshold: r > 0, in the units of the state's Euclidean norm; None does not cap.
        parallel: η in [0, 1], the share of the parallel part that is kept.
        acts_on: what x is: `denoised`, the clean estimates, in the paper; `epsilon`, `v`, `velocity`, or the network's
            own `prediction`.
        start: `conditional` is the paper's; `unconditional` has no shortcut at γ = 1.

    Raises:
        UserError: for values outside these ranges, or a model that has no classes or no null class.
    """

    momentum: float = -0.5
    norm_threshold: float | None = None
    parallel: float = 0.0
    acts_on: On = "denoised"
    start: Literal["conditional", "unconditional"] = "conditional"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -1.0 < self.momentum < 1.0:
            raise UserError(f"momentum: APG's β must be between −1 and 1, got {self.momentum}")
        if self.norm_threshold is not None and not self.norm_threshold > 0.0:
            raise UserError(f"norm_threshold: APG's r must be above 0, or null, got {self.norm_threshold}")
        if not 0.0 <= self.parallel <= 1.0:
            raise UserError(f"parallel: APG's η must be in [0, 1], got {self.parallel}")
        if self.start not in ("conditional", "unconditional"):
            raise UserError(f"start: APG's must be conditional or unconditional, got {self.start!r}")

    def is_guided(self, step: Step) -> bool:
        return self.in_interval(step) if self.start == "unconditional" else super().is_guided(step)

    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        kind = kind_of(self.acts_on, process.score_model)
        conditional, unconditional = part(strong, kind, step), part(weak, kind, step)
        delta = self._capped(self._with_momentum(conditional - unconditional, step, process))
        unit = direction(conditional)
        along = expand_to((delta * unit).flatten(1).sum(1), delta) * unit
        kept = delta - (1.0 - self.parallel) * along
        if self.start == "unconditional":
            return with_part(strong, kind, unconditional + self.scale(x_t, step, process) * kept, x_t, step)
        return with_part(strong, kind, conditional + (self.scale(x_t, step, process) - 1.0) * kept, x_t, step)

    def _with_momentum(self, delta: State, step: Step, process: Evaluations) -> State:
        if self.momentum == 0.0:
            return delta
        index, before, latest = process.memory.get(self, (None, 0.0, 0.0))
        if index != step.index:
            before = latest
        delta = delta + self.momentum * before
        process.memory[self] = (step.index, before, delta.detach())
        return delta

    def _capped(self, delta: State) -> State:
        if self.norm_threshold is None:
            return delta
        norm = per_sample_norm(delta).clamp_min(self.norm_threshold)
        return delta * expand_to(self.norm_threshold / norm, delta)
