"""Training-free energy guidance with time travel."""

from __future__ import annotations

from dataclasses import dataclass, field

from dsg.diffusion.level import Step
from dsg.guidance.additive import AdditiveGuidance
from dsg.guidance.step_rules import Signal, StepRule
from dsg.guidance.window import check_at_least, check_window, in_window


@dataclass(frozen=True)
class FreeDoM(AdditiveGuidance):
    """Yu et al. 2023 (2303.09833), algorithm 2, with the step size of their face code:

        x_prev = μ + σ z − ρ √ā ∇_{x_t} L(x̂(x_t), y)

    and inside a window every step is taken `repetitions` times, going back up in between:

        x_t ← √(ā/ā_prev) x_prev + √(1−ā/ā_prev) z'

    The paper leaves ρ_t open. Its codes differ: for faces this one, not guided where t ≤ 100, under the kernel
    `Renoise` with η = 0.5; for CLIP the rule `Normalised` with ρ = 0.02 under DDPM, on ImageNet with 10 repetitions
    where 500 ≤ t ≤ 800; for Stable Diffusion the rule `OfCorrection` with ρ = 0.2 under DDPM, of 100 steps 30 to 69
    guided and 30 to 59 taken three times; in the TFG repository the rule `Scheduled`.

    Args:
        step_size: ρ ≥ 0; 0 is the unguided sampler.
        repetitions: how often a step inside the window is taken, at least 1; 1 is no time travel.
        travel_start: first step of the window of time travel, counted from the noisy end, of `stated_for` steps.
        travel_stop: first step that is no longer in it; None is the end.
        rule: what ρ is multiplied by, `Signal` is √ā (`dsg.guidance.step_rules`).
        start, stop, t_low, stated_for: the window of guided steps (`dsg.guidance.window.Windowed`).

    Raises:
        UserError: for values outside these ranges.
    """

    step_size: float = 8.0
    repetitions: int = 1
    travel_start: int = 0
    travel_stop: int | None = None
    rule: StepRule = field(default_factory=Signal, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self.repetitions, 1, "repetitions")
        check_window(self.travel_start, self.travel_stop, "travel_start, travel_stop")

    def repeats(self, step: Step) -> int:
        travels = in_window(step, self.travel_start, self.travel_stop, self.stated_for)
        return self.repetitions if travels else 1
