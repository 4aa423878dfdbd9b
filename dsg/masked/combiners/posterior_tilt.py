"""Guidance of the posterior of a step, in which staying masked is an outcome like others."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from dsg.masked.combiners.base import TokenEvaluations
from dsg.masked.combiners.cfg import TiltedGuidance
from dsg.masked.unmasking import Moment, Unmasking
from dsg.models.tokens.base import Tokens


@dataclass(frozen=True)
class PosteriorTilt(TiltedGuidance):
    """Schiff et al. (2412.10193, eq. 11): p(x_s | x_t, c)^γ p(x_s | x_t)^{1−γ} over the vocabulary and the mask.

    A token stays masked with chance r at unit speed, under both conditions, so that of the tilt it does with

        r / (r + (1 − r) Z),   Z = Σ_v p_c(v)^γ p_u(v)^{1−γ}

    In small steps that is the speed Z, as of rates that are not normalised; in one step, r = 0, none is left. Their
    code takes a softmax over the vocabulary first, which is ClassifierFree, normalised.
    """

    @property
    def changes_speed(self) -> bool:
        return not self.is_plain

    def unmasking(self, tokens: Tokens, moment: Moment, process: TokenEvaluations) -> Unmasking:
        if self.is_plain:
            return Unmasking(self.tilt(tokens, moment, process))
        rates = Unmasking.of(self.tilt(tokens, moment, process), normalised=False)
        assert rates.log_speed is not None  # of rates that are not normalised
        return Unmasking(rates.log_chances, _log_speed(rates.log_speed, moment.survival))


def _log_speed(log_sum: Tensor, survival: float) -> Tensor:
    """log S of r^S = r/(r + (1−r)Z): S = 1 − log(r + (1−r)Z)/log r, which is Z at r = 1 and 1 at r = 0."""
    if survival in (0.0, 1.0):
        return log_sum * survival
    ratio = math.log1p(-survival) - math.log(survival)
    return (softplus(log_sum + ratio) / -math.log(survival)).log()  # log r + log(1 + (1−r)Z/r) is the logarithm
