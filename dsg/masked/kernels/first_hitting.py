"""From event to event: one token at a time, at the time when the process would unmask it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.errors import UserError
from dsg.masked.combiners.base import TokenCombiner
from dsg.masked.kernels.base import TokenKernel
from dsg.masked.process import MaskedProcess
from dsg.masked.record import MaskedRecord
from dsg.masked.schedule import MaskSchedule
from dsg.masked.unmasking import Moment, draw
from dsg.models.tokens.base import LogChances, Tokens


@dataclass(frozen=True)
class FirstHitting(TokenKernel):
    """Zheng et al. 2024 (2409.02908, algorithm 1), here for tokens of different speeds Z_i: it is exact.

        share ← share · u^{1/Σ Z_i},   token i with chance Z_i/Σ Z_j,   x_i ~ p_i,   over masked i

    Each step unmasks one token of every sample, at a time of its own, so that there are L of them. Rates whose speed
    changes with time between events are refused; those of unit speed may, since p is read at the event.
    """

    def steps(self, schedule: MaskSchedule, count: int | None, length: int) -> list[Step]:
        if count not in (None, length):
            raise UserError(
                f"steps: FirstHitting takes one a token, {length} of them, got {count}; leave model.steps null, or "
                "take TauLeaping"
            )
        return super().steps(schedule, length, length)

    def check(self, combiner: TokenCombiner) -> None:
        super().check(combiner)
        if combiner.changes_speed and combiner.changes_with_time:
            raise UserError(
                f"kernel: FirstHitting draws the time of the next event at a speed that stays until then, and that of "
                f"{type(combiner).__name__} changes with time; normalise it, or take TauLeaping"
            )

    def step(self, tokens: Tokens, step: Step, process: MaskedProcess) -> MaskedRecord:
        share: Tensor = process.memory.get(self, torch.ones(len(tokens), dtype=torch.float64, device=tokens.device))
        when, where = process.streams.uniform(Purpose.UNMASK, (2,)).double().unbind(1)
        log_when = when.clamp_min(2.0**-25).log()  # 0 has no logarithm
        seen = tokens != process.token_model.mask
        if process.combiner.changes_speed:
            unmasking = process.unmasking(tokens, Moment(process.schedule.time(share)))
            assert unmasking.log_speed is not None  # it said so
            log_rates = unmasking.log_speed.double().masked_fill(seen, -math.inf)  # Z itself may overflow
            share = share * _left(log_when, log_rates)
        else:
            log_rates = torch.zeros_like(tokens, dtype=torch.float64).masked_fill(seen, -math.inf)
            share = share * _left(log_when, log_rates)
            unmasking = process.unmasking(tokens, Moment(process.schedule.time(share)))
        process.memory[self] = share
        place = draw(log_rates.log_softmax(1)[:, None], where[:, None])
        token = self.drawn(_at(unmasking.log_chances, place), process)
        return MaskedRecord(step, tokens, tokens.scatter(1, place, token), unmasking)


def _left(log_when: Tensor, log_rates: Tensor) -> Tensor:
    """u^{1/Σ Z_i}, (B,), of log u and log Z_i, (B, L)."""
    return (log_when * (-log_rates.logsumexp(1)).exp()).exp()


def _at(log_chances: LogChances, place: Tensor) -> LogChances:
    """Of one place of each sample, (B, 1) → (B, 1, V)."""
    return log_chances.take_along_dim(place[..., None], 1)
