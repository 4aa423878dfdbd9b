"""The surest tokens first, so many in each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.masked.kernels.base import TokenKernel, survival_of
from dsg.masked.process import MaskedProcess
from dsg.masked.record import MaskedRecord
from dsg.masked.schedule import MaskSchedule
from dsg.masked.unmasking import Moment
from dsg.models.tokens.base import Tokens


@dataclass(frozen=True)
class ConfidenceOrder(TokenKernel):
    """MaskGIT's order (Chang et al. 2022, 2202.04200, 3.2): every masked token is drawn, and ⌊share(s) L⌋ are masked
    again, those of the least confidence

        log p_i(x_i) + temperature · s · g,   g ~ Gumbel(0, 1)

    At least one is unmasked in each step. What comes out is no sample of the model: sure tokens are seen early, so that
    places depend on each other less than they should. Speeds of the rates have no place in it.

    Args:
        temperature: of the noise at s = 1; 0 keeps the surest alone.

    Raises:
        UserError: for a negative temperature; before the first sample, for more steps than tokens.
    """

    temperature: float = 1.0

    reads_speed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < math.inf:
            raise UserError(f"temperature: must be at least 0 and finite, got {self.temperature}")

    def steps(self, schedule: MaskSchedule, count: int | None, length: int) -> list[Step]:
        if count is not None and count > length:
            raise UserError(
                f"steps: ConfidenceOrder unmasks a token at least in each, and there are {length}; take at most "
                f"{length}, got {count}"
            )
        return super().steps(schedule, count, length)

    def step(self, tokens: Tokens, step: Step, process: MaskedProcess) -> MaskedRecord:
        unmasking = process.unmasking(tokens, Moment(step.t, survival_of(step)))
        masked = tokens == process.token_model.mask
        found = self.drawn(unmasking.log_chances, process)
        chances = unmasking.log_chances.take_along_dim(found[..., None], -1).squeeze(-1)
        uniform = process.streams.uniform(Purpose.UNMASK, tokens.shape[1:]).clamp_min(2.0**-25)  # 0 has no logarithm
        gumbel = -(-uniform.log()).log()
        confidence = chances.float() + self.temperature * step.prev.t * gumbel
        remaining = masked.sum(1)
        kept = math.floor(step.prev.noise_variance * process.token_model.length + 1e-9)  # rounding takes none away
        again = (remaining - 1).clamp_max(kept).clamp_min(step.index)  # one for each later step
        rank = confidence.masked_fill(~masked, math.inf).argsort(1).argsort(1)
        leaves = masked & (rank >= again[:, None])
        return MaskedRecord(step, tokens, found.where(leaves, tokens), unmasking)
