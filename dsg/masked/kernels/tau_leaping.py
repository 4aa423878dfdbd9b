"""Leaps in time: the rates of a step are those of its start."""

from __future__ import annotations

from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.masked.kernels.base import TokenKernel, survival_of
from dsg.masked.process import MaskedProcess
from dsg.masked.record import MaskedRecord
from dsg.masked.unmasking import Moment
from dsg.models.tokens.base import Tokens


@dataclass(frozen=True)
class TauLeaping(TokenKernel):
    """Every masked token is unmasked by itself, from t to s, with chance 1 − (share(s)/share(t))^Z.

    κ is integrated, and p and Z are held, so that of one token the step is exact however long it is (Lou et al. 2024,
    2310.16834, 5.1, with Z = 1; Campbell et al. 2022, 2205.14987, 4.4). The last step unmasks all.
    """

    def step(self, tokens: Tokens, step: Step, process: MaskedProcess) -> MaskedRecord:
        survival = survival_of(step)
        unmasking = process.unmasking(tokens, Moment(step.t, survival))
        now = process.streams.uniform(Purpose.UNMASK, tokens.shape[1:])
        stays = survival if unmasking.speed is None else survival ** unmasking.speed.double()
        leaves = (tokens == process.token_model.mask) & ((now >= stays) | step.ends_clean)
        return MaskedRecord(step, tokens, self.drawn(unmasking.log_chances, process).where(leaves, tokens), unmasking)
