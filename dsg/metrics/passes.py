"""Passes through the networks of an image, by kind, as tables show them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

NETWORK = ("nfe_forward", "nfe_backward")
DECODER = ("nfe_decoder_forward", "nfe_decoder_backward")
ENCODER = ("nfe_encoder_forward", "nfe_encoder_backward")
NAMES = NETWORK + DECODER + ENCODER
HEADINGS = {"NFE": NETWORK, "decoder": DECODER, "encoder": ENCODER}
NONE = math.nan


@dataclass(frozen=True)
class Passes:
    """Means over images; NaN where a run does not know, or has no decoder.

    Args:
        counts: by the names of the rows' columns.
    """

    counts: dict[str, float]

    @classmethod
    def of(cls, mean: Callable[[str], float]) -> Passes:
        """Those of a run, by the mean of its columns."""
        return cls({name: mean(name) for name in NAMES})

    def through(self, heading: str) -> tuple[float, float]:
        """Forward and backward passes of a column."""
        forward, backward = HEADINGS[heading]
        return self.counts.get(forward, NONE), self.counts.get(backward, NONE)

    def text(self, heading: str, none: str) -> str:
        """`100 + 99`, forward + backward; `none` for what is not known."""
        return " + ".join(none if count != count else format(count, "g") for count in self.through(heading))


def headings(every: Iterable[Passes]) -> list[str]:
    """The columns that a table of these needs: the network's, and those that any of them passed."""
    found = list(every)
    return [name for name in HEADINGS if name == "NFE" or any(max(part.through(name)) > 0 for part in found)]
