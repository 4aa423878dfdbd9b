"""Embedded texts as a condition."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.diffusion.condition import Condition


@dataclass(frozen=True)
class TextCondition(Condition):
    """A text each, as text encoders say it.

    Args:
        embedding: (B, L, W), a vector for each of L tokens, those of padding too.
        pooled: (B, P), one vector for the whole text; None where the network takes none.
        negative: what stands for no text beside it, of as many rows; None is the empty text.
    """

    embedding: Tensor
    pooled: Tensor | None = None
    negative: TextCondition | None = None

    def __len__(self) -> int:
        return len(self.embedding)

    def to(self, device: torch.device) -> TextCondition:
        pooled = None if self.pooled is None else self.pooled.to(device)
        return TextCondition(self.embedding.to(device), pooled, self.negative and self.negative.to(device))

    def rows(self, index: Tensor) -> TextCondition:
        index = index.to(self.embedding.device)
        pooled = None if self.pooled is None else self.pooled[index]
        return TextCondition(self.embedding[index], pooled, self.negative and self.negative.rows(index))

    def null(self) -> TextCondition | None:
        return self.negative
