"""Hamiltonian Monte Carlo with friction, for losses with a gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.guidance.chain import Chain, Target
from dsg.guidance.chain_step import DecayingStep, Slope, check_step
from dsg.process import ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class HamiltonianMonteCarlo(Chain):
    """DAPS's second chain, of Zhang et al. 2025 (2407.01521): Langevin with a velocity that is kept, which goes further
    in as many gradients. From v = z,

        v ← μ v − √h (∇ ½L²/σ_y² + (x − x̂)/r²) + √(2(1−μ)) z,   x ← x + √h v

    with the h of Langevin. Without correction; the published noise leaves the velocity's variance, and with it that of
    the draws, at 2/(1+μ) instead of 1, so that small momenta warm the chain; μ = 0 is no Langevin.

    The published code is `step_size: DecayingStep` with `half: false`.

    Args:
        chain_steps: at least 1; each takes a gradient of the loss, outside the network.
        step_size: in (0, 1], as Langevin's, or a DecayingStep.
        momentum: μ in [0, 1); 0.9 as published.
        half: the likelihood is exp(−½L²/σ_y²), as in the paper. The published code forgets the ½: false.
        clip: every number of ∇L² is clamped to ± this, which keeps a chain in latents from leaving where the decoder is
            steep; null clamps none. The published code of latents clamps to 1, that of pixels does not.

    Raises:
        UserError: for values outside these ranges.
    """

    chain_steps: int = 100
    step_size: float | DecayingStep = 0.5
    momentum: float = 0.9
    half: bool = True
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.chain_steps < 1:
            raise UserError(f"chain_steps: HamiltonianMonteCarlo's must be at least 1, got {self.chain_steps}")
        check_step("HamiltonianMonteCarlo", self.step_size, self.clip)
        if not 0.0 <= self.momentum < 1.0:
            raise UserError(f"momentum: HamiltonianMonteCarlo's must be in [0, 1), got {self.momentum}")

    def draw(self, start: State, target: Target, step: Step, process: ReverseProcess) -> State:
        slope = Slope(target, self.half, self.clip)
        root = slope.step_size(self.step_size, step, process).sqrt()
        spread = math.sqrt(2.0 * (1.0 - self.momentum))
        x, velocity = start, process.noise(start, Purpose.MONTE_CARLO)
        for _ in range(self.chain_steps):
            kick = root * slope.at(x, process)
            velocity = self.momentum * velocity - kick + spread * process.noise(x, Purpose.MONTE_CARLO)
            x = x + root * velocity
        return x
