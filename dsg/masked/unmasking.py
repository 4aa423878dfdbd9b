"""How masked tokens are seen again: with which chances as what, and how fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dsg.models.tokens.base import LogChances, Tokens

LEAST = -1e4
"""Logarithm of a chance that is none: finite, so that products of powers of it are."""


@dataclass(frozen=True)
class Moment:
    """When a combiner is asked.

    Args:
        time: from 1, all masked, to 0; or that of each sample, (B,) float64.
        survival: share(s)/share(t) of the step to s, the chance to stay masked at unit speed; 1 of a kernel that steps
            from event to event.
    """

    time: float | Tensor
    survival: float = 1.0


@dataclass(frozen=True)
class Unmasking:
    """The rates of a moment: a masked token i becomes v at the rate κ Z_i p_i(v).

    Args:
        log_chances: log p_i(v), (B, L, V), which sum to 1 over v.
        log_speed: log Z_i, (B, L); None where all are 1.
    """

    log_chances: LogChances
    log_speed: Float[Tensor, "B L"] | None = None

    @classmethod
    def of(cls, log_weights: LogChances, normalised: bool) -> Unmasking:
        """Of rates that do not sum to 1: normalised ones have unit speed, others the speed of their sum."""
        total = log_weights.logsumexp(-1)
        return cls(log_weights - total[..., None], None if normalised else total)

    @property
    def speed(self) -> Float[Tensor, "B L"] | None:
        """Z_i, (B, L); None where all are 1."""
        return None if self.log_speed is None else self.log_speed.exp()

    @property
    def is_said(self) -> Bool[Tensor, "B L"]:
        """Where max_v log p_i(v) is finite and log Z_i < ∞: where they are chances, and a speed."""
        said = self.log_chances.amax(-1).isfinite()
        return said if self.log_speed is None else said & (self.log_speed < math.inf)

    def equal_unless(self, said: Bool[Tensor, "B L"]) -> Unmasking:
        """These rates, and where they are not said p_i(v) = 1/V and Z_i = 1."""
        equal = -math.log(self.log_chances.shape[-1])
        log_speed = None if self.log_speed is None else self.log_speed.where(said, 0.0)
        return Unmasking(self.log_chances.where(said[..., None], equal), log_speed)


def draw(log_chances: LogChances, uniform: Float[Tensor, "B L"]) -> Tokens:
    """Tokens (B, L) by inverse distribution function: v where F(v−) ≤ u < F(v); one of chance 0 is never drawn."""
    cumulative = log_chances.double().exp().cumsum(-1)
    wanted = uniform.double()[..., None] * cumulative[..., -1:]
    return torch.searchsorted(cumulative, wanted, right=True).squeeze(-1).clamp_max(log_chances.shape[-1] - 1)
