"""Langevin dynamics, for losses with a gradient."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.guidance.chain import Chain
from dsg.guidance.data_term import data_term
from dsg.process import ReverseProcess
from dsg.types import PerSample, State, expand_to


@dataclass(frozen=True)
class Langevin(Chain):
    """DAPS's first chain, of Zhang et al. 2025 (2407.01521), without correction:

        x ← x − h (∇ ½L²/σ_y² + (x − x̂)/r²) + √(2h) z,   h = step_size/(ℓ²/σ_y² + 1/r²),   ℓ = max(1, ‖A‖)

    L² = ‖y − A x‖² for a linear task, so that h, which each sample has of its own, is at most half the longest stable
    one. ‖A‖ is what the operator says: of a linear one its largest singular value, of another 1 or its own bound
    (see Operator.norm). A loss that is no residual norm is taken to be as steep as one with ‖A‖ = 1; lower step_size
    where it is steeper. (The published code fixes h in pixels and lowers it from level to level; here it falls with r.
    It does not grow where ‖A‖ < 1 either.)

    Args:
        chain_steps: at least 1; each takes a gradient of the loss, outside the network.
        step_size: in (0, 1], of the longest stable half; the smaller, the smaller the bias, and the slower.

    Raises:
        UserError: for values outside these ranges.
    """

    chain_steps: int = 100
    step_size: float = 0.5

    def __post_init__(self) -> None:
        if self.chain_steps < 1:
            raise UserError(f"chain_steps: Langevin's must be at least 1, got {self.chain_steps}")
        if not 0.0 < self.step_size <= 1.0:
            raise UserError(f"step_size: Langevin's must be in (0, 1], got {self.step_size}")

    def draw(self, estimate: State, radius: float, sigma: float, process: ReverseProcess) -> State:
        precision, pull = 1.0 / sigma**2, 1.0 / radius**2
        h = self.step_size / (precision * _steepness(process) + pull)
        h, spread = (expand_to(value, estimate).to(estimate) for value in (h, (2.0 * h).sqrt()))
        x = estimate
        for _ in range(self.chain_steps):
            _, gradient = data_term(x, process)
            noise = process.noise(x, Purpose.MONTE_CARLO)
            x = x - h * (precision * gradient + pull * (x - estimate)) + spread * noise
        return x


def _steepness(process: ReverseProcess) -> PerSample:
    """ℓ² = max(1, ‖A‖)², (B,) float64, found once a batch."""
    if "operator norm" not in process.memory:
        process.memory["operator norm"] = process.measurement.operator.norm(process.measurement.y)
    return process.memory["operator norm"].double().clamp(min=1.0) ** 2
