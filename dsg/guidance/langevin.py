"""Langevin dynamics, for losses with a gradient."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.guidance.chain import Chain, Target
from dsg.guidance.chain_step import DecayingStep, Slope, check_step
from dsg.process import ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class Langevin(Chain):
    """DAPS's first chain, of Zhang et al. 2025 (2407.01521), without correction:

        x ← x − h (∇ ½L²/σ_y² + (x − x̂)/r²) + √(2h) z,   h = step_size/(ℓ²/σ_y² + 1/r²),   ℓ = max(1, ‖A‖)

    L² = ‖y − A x‖² for a linear task, so that h, which each sample has of its own, is at most half the longest stable
    one. ‖A‖ is what the operator says: of a linear one its largest singular value, of another 1 or its own bound
    (see Operator.norm). A loss that is no residual norm is taken to be as steep as one with ‖A‖ = 1; lower step_size
    where it is steeper. It falls with r, and does not grow where ‖A‖ < 1. Of latents ‖A‖ is that of A∘D, measured once
    a batch with 11 passes through the decoder and 10 back.

    The published code is `step_size: DecayingStep` with `half: false`.

    Args:
        chain_steps: at least 1; each takes a gradient of the loss, outside the network.
        step_size: in (0, 1], of the longest stable half; the smaller, the smaller the bias, and the slower. Or a
            DecayingStep, the published code's.
        half: the likelihood is exp(−½L²/σ_y²), as in the paper. The published code forgets the ½, so that its σ_y
            counts as σ_y/√2: false.
        clip: every number of ∇L² is clamped to ± this, which keeps a chain in latents from leaving where the decoder is
            steep; null clamps none. The published code of latents clamps to 1, that of pixels does not.

    Raises:
        UserError: for values outside these ranges.
    """

    chain_steps: int = 100
    step_size: float | DecayingStep = 0.5
    half: bool = True
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.chain_steps < 1:
            raise UserError(f"chain_steps: Langevin's must be at least 1, got {self.chain_steps}")
        check_step("Langevin", self.step_size, self.clip)

    def draw(self, start: State, target: Target, step: Step, process: ReverseProcess) -> State:
        slope = Slope(target, self.half, self.clip)
        h = slope.step_size(self.step_size, step, process)
        x, spread = start, (2.0 * h).sqrt()
        for _ in range(self.chain_steps):
            downhill = h * slope.at(x, process)
            x = x - downhill + spread * process.noise(x, Purpose.MONTE_CARLO)
        return x
