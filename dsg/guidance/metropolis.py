"""Metropolis–Hastings, for losses without a gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.guidance.chain import Chain, Target
from dsg.process import ReverseProcess
from dsg.types import State, expand_to

GAIN = 0.3
"""g: β falls a thousandfold in a hundred refusals."""


@dataclass(frozen=True)
class MetropolisHastings(Chain):
    """DAPS's chain for losses that cannot be differentiated (Zhang et al. 2025, 2407.01521), with the
    preconditioned Crank–Nicolson proposal around x̂ (Cotter et al. 2013):

        x' = x̂ + √(1−β²)(x − x̂) + β r z,   taken with probability min(1, exp((L(x)² − L(x')²)/(2σ_y²)))

    The proposal leaves N(x̂, r²I) as it is, so that the likelihood alone decides: a random walk x + s z would have to
    pay for the prior in every dimension too. β starts at 1 and follows, for each sample, log β ← log β + g (a − rate)
    up to 0, where a is 1 if x' was taken and 0 otherwise. In the second half of the chain β is fixed, so that the chain
    leaves the density that it is to draw from as it is.

    Args:
        chain_steps: at least 2; each takes one loss and no gradient. It moves each number by about σ_y in as many
            steps as there are measurements, so that a picture wants thousands.
        rate: of acceptance, in (0, 1); 0.234 is best in many dimensions (Roberts et al. 1997).

    Raises:
        UserError: for values outside these ranges.
    """

    chain_steps: int = 1000
    rate: float = 0.234

    def __post_init__(self) -> None:
        if self.chain_steps < 2:
            raise UserError(f"chain_steps: MetropolisHastings's must be at least 2, got {self.chain_steps}")
        if not 0.0 < self.rate < 1.0:
            raise UserError(f"rate: MetropolisHastings's must be in (0, 1), got {self.rate}")

    def draw(self, start: State, target: Target, step: Step, process: ReverseProcess) -> State:
        estimate, sigma = target.centre, target.sigma
        x, potential = start, self._potential(start, sigma, process)
        log_beta = torch.zeros_like(potential)
        for k in range(self.chain_steps):
            beta = expand_to(log_beta.exp(), x).to(x)
            kept = (1.0 - beta**2).sqrt() * (x - estimate)
            proposal = estimate + kept + beta * target.radius * process.noise(x, Purpose.MONTE_CARLO)
            proposed = self._potential(proposal, sigma, process)
            uniform = process.streams.normal(Purpose.MONTE_CARLO, (1,))[:, 0]
            taken = torch.special.log_ndtr(uniform.double()) < potential - proposed  # log of a uniform number
            x = torch.where(expand_to(taken, x), proposal, x)
            potential = torch.where(taken, proposed, potential)
            if k < self.chain_steps // 2:
                log_beta = (log_beta + GAIN * (taken.double() - self.rate)).clamp(max=0.0)
        return torch.where(expand_to(potential.isnan(), x), math.nan, x)

    def _potential(self, x: State, sigma: float, process: ReverseProcess) -> Tensor:
        """L²/(2σ_y²), (B,) float64."""
        return process.loss(x).detach().double() ** 2 / (2.0 * sigma**2)
