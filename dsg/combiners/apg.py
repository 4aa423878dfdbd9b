"""Adaptive projected guidance: classifier-free guidance with less oversaturation."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.combiners.base import Evaluations
from dsg.combiners.extrapolation import Extrapolation
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.types import State, direction, expand_to, per_sample_norm


@dataclass(frozen=True)
class APG(Extrapolation):
    """Sadat et al. 2024 (2410.02416), on the clean estimates, each sample on its own:

        Δ = x̂_c − x̂_u                               the guidance
        Δ ← Δ + β Δ_before                          momentum, over the steps
        Δ ← Δ min(1, r/‖Δ‖)                         norm cap
        Δ = Δ_∥ + Δ_⊥,   Δ_∥ = ⟨Δ, x̂_c⟩/‖x̂_c‖² x̂_c   the parallel part oversaturates
        x̂ = x̂_c + (γ − 1)(Δ_⊥ + η Δ_∥)

    β = 0, r = ∞ and η = 1 are classifier-free guidance. The momentum is the batch's and carries no gradient; a step
    that is taken again (time travel) starts from the same Δ_before.

    Args:
        guidance_scale: γ ≥ 0, a number or a ScaleSchedule; 1 is the conditional model, by one evaluation.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        momentum: β in (−1, 1); the paper's is negative.
        norm_threshold: r > 0, in the units of the state's Euclidean norm; None does not cap.
        parallel: η in [0, 1], the share of the parallel part that is kept.

    Raises:
        UserError: for values outside these ranges, or a model that has no classes or no null class.
    """

    momentum: float = -0.5
    norm_threshold: float | None = None
    parallel: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -1.0 < self.momentum < 1.0:
            raise UserError(f"momentum: APG's β must be between −1 and 1, got {self.momentum}")
        if self.norm_threshold is not None and not self.norm_threshold > 0.0:
            raise UserError(f"norm_threshold: APG's r must be above 0, or null, got {self.norm_threshold}")
        if not 0.0 <= self.parallel <= 1.0:
            raise UserError(f"parallel: APG's η must be in [0, 1], got {self.parallel}")

    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        conditional = strong.clean_estimate
        delta = self._capped(self._with_momentum(conditional - weak.clean_estimate, step, process))
        unit = direction(conditional)
        along = expand_to((delta * unit).flatten(1).sum(1), delta) * unit
        kept = delta - (1.0 - self.parallel) * along
        return strong.moved_to(conditional + (self.scale(step) - 1.0) * kept, step)

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
