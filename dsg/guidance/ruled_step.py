"""What methods share that step along a gradient: the step size, a rule for it, and a window."""

from __future__ import annotations

from dataclasses import dataclass, field

from dsg.diffusion.level import Step
from dsg.guidance.step_rules import Constant, StepRule
from dsg.guidance.window import Windowed, check_at_least


@dataclass(frozen=True)
class RuledStep(Windowed):
    """Beside a guidance: a step along its gradient, of the step size ζ and a rule ρ, inside a window.

    Args:
        step_size: ζ ≥ 0; 0 is the unguided sampler.
        rule: ρ; one that divides by √ā needs levels that start above ā = 0.

    Raises:
        UserError: for a step size or a window outside its range.
    """

    step_size: float = 1.0
    rule: StepRule = field(default_factory=Constant, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self.step_size, 0, "step_size")

    @property
    def needs_signal(self) -> bool:
        return self.rule.needs_signal

    @property
    def needs_correction(self) -> bool:
        return self.rule.needs_correction

    def is_guided(self, step: Step) -> bool:
        return self.step_size > 0.0 and self.in_window(step)
