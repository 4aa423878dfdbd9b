"""Loss guidance whose step is the ordinary one, and then a step down the gradient."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.guidance.base import LossGuidance
from dsg.guidance.ruled_step import RuledStep
from dsg.process import GuidedStep, ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class AdditiveGuidance(RuledStep, LossGuidance):
    """x_prev = μ + σ z − ζ ρ g, with the step size ζ and a step rule ρ.

    Args:
        step_size: ζ ≥ 0; 0 is the unguided sampler.
        rule: ρ; see `dsg.guidance.step_rules`.
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for a step size or a window outside its range; before the first sample, where ρ divides by √ā, for
            levels that start at ā = 0, and where ρ reads what a combiner adds, for one that adds nothing.
    """

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        return guided.unguided - self.rule.scaled(self.step_size, guided.guide, guided.step, process)
