"""Whether a portrait shows what a text says: pictures and captions in one space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dsg.models.portraits import words
from dsg.models.portraits.layers import pooled_body, strided_body
from dsg.models.portraits.twin import Role, Twin

DIMENSION = 64
WORD = 48


class PortraitsImageText(Twin):
    """Images (B,3,64,64) in [−1, 1] → unit vectors (B,64), near those of texts that are true of them.

    Trained on pictures and their captions by the contrastive loss of CLIP (Radford et al. 2021, 2103.00020, figure 3).
    It knows the words of `dsg.data.portraits.captions`; others say nothing to it.
    """

    kind = "image_text"

    @staticmethod
    def build(role: Role) -> Towers:
        return Towers(role)

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (B,64) of texts. Raises UserError for a text that has none of the captions' words."""
        assert isinstance(self.network, Towers)
        rows = words.word_rows(texts)
        return self.network.read(rows.to(next(self.network.parameters()).device))


class Towers(nn.Module):
    """Images → unit vectors, and `read`: words (B,L) → unit vectors."""

    def __init__(self, role: Role) -> None:
        super().__init__()
        body = strided_body(middle=64) if role == "guide" else pooled_body()
        self.seen = nn.Sequential(body, nn.Flatten(), nn.Linear(16 * 64, DIMENSION))
        self.said = Phrases() if role == "guide" else Sentence()

    def forward(self, images: Tensor) -> Tensor:
        return normalize(self.seen(images).float(), dim=1)

    def read(self, rows: Tensor) -> Tensor:
        return normalize(self.said(rows), dim=1)


class Phrases(nn.Module):
    """Words with their neighbours, and the mean of what these say: words (B,L) → (B,64)."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.words = nn.Embedding(words.count(), WORD, padding_idx=words.PADDING)
        self.near, self.wide = nn.Conv1d(WORD, width, 3, padding=1), nn.Conv1d(width, width, 5, padding=2)
        self.head = nn.Linear(width, DIMENSION)

    def forward(self, rows: Tensor) -> Tensor:
        there = (rows != words.PADDING)[:, None].float()
        x = nn.functional.silu(self.near(self.words(rows).mT)) * there
        x = nn.functional.silu(self.wide(x)) * there
        return self.head(x.sum(2) / there.sum(2))


class Sentence(nn.Module):
    """Read forwards by a gated recurrent unit, and the largest of what it says: words (B,L) → (B,64)."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.words = nn.Embedding(words.count(), WORD, padding_idx=words.PADDING)
        self.unit = nn.GRU(WORD, width, batch_first=True)
        self.head = nn.Linear(width, DIMENSION)

    def forward(self, rows: Tensor) -> Tensor:
        states, _ = self.unit(self.words(rows))
        return self.head(states.masked_fill((rows == words.PADDING)[..., None], -torch.inf).amax(1))
