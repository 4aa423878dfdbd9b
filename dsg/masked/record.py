"""What a step of a masked process tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dsg.masked.unmasking import Unmasking
from dsg.models.tokens.base import Tokens
from dsg.process import Record
from dsg.types import PerSample


@dataclass(frozen=True)
class MaskedRecord(Record):
    """One step of a masked process, of tokens (B, L) that hold the mask V where nothing is seen yet.

    Args:
        unmasking: the rates that it was taken by.
    """

    unmasking: Unmasking

    measures: ClassVar[Mapping[str, str]] = {
        "masked_share": "share of masked tokens before the step",
        "speed": "speed Z of unmasking, mean over masked tokens; 1 is unguided",
        "entropy": "entropy of the chances in nats, mean over masked tokens",
    }

    @property
    def masked(self) -> Tensor:
        """Where no token is seen before the step, (B, L)."""
        return self.x_t == self.unmasking.log_chances.shape[-1]

    @property
    def clean_estimate(self) -> Tokens:
        """The tokens that are seen, and elsewhere the likeliest ones."""
        return self.x_t.where(~self.masked, self.unmasking.log_chances.argmax(-1))

    @property
    def masked_share(self) -> PerSample:
        """(B,)."""
        return self.masked.float().mean(1)

    @property
    def speed(self) -> PerSample | None:
        """Mean of Z over masked tokens, (B,); NaN where there are none, None where all speeds are 1."""
        speed = self.unmasking.speed
        return None if speed is None else self._over_masked(speed)

    @property
    def entropy(self) -> PerSample:
        """Mean of −Σ p log p over masked tokens, (B,); NaN where there are none."""
        log_p = self.unmasking.log_chances
        return self._over_masked(-(log_p.exp() * log_p.clamp_min(-1e4)).sum(-1))

    def _over_masked(self, values: Tensor) -> PerSample:
        return values.where(self.masked, 0.0).sum(1) / self.masked.sum(1)  # what is seen may be infinite
