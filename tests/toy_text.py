"""A toy that is conditional on text: a condition of another kind than class labels, with no edit of the library."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.data.examples import Examples
from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.types import State
from tests.toy import Toy

WORDS, WIDTH = 4, 6


@dataclass(frozen=True)
class TextEmbedding(Condition):
    """A sequence of embedded words each, and which of them are words.

    Args:
        embedding: (B, WORDS, WIDTH).
        mask: (B, WORDS) bool.
        negative: what stands for no text beside it; None is the empty text.
    """

    embedding: Tensor
    mask: Tensor
    negative: TextEmbedding | None = None

    def __len__(self) -> int:
        return len(self.mask)

    def to(self, device: torch.device) -> TextEmbedding:
        return TextEmbedding(self.embedding.to(device), self.mask.to(device))

    def rows(self, index: Tensor) -> TextEmbedding:
        return TextEmbedding(self.embedding[index], self.mask[index])

    def null(self) -> TextEmbedding | None:
        return self.negative


def embedded(prompts: Sequence[str]) -> TextEmbedding:
    """The first WORDS words of each prompt, each one a fixed random vector of its own."""
    embedding, mask = torch.zeros(len(prompts), WORDS, WIDTH), torch.zeros(len(prompts), WORDS, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        for i, word in enumerate(prompt.split()[:WORDS]):
            generator = torch.Generator().manual_seed(zlib.crc32(word.encode()))
            embedding[row, i] = torch.randn(WIDTH, generator=generator)
            mask[row, i] = True
    return TextEmbedding(embedding, mask)


class ToyOfPrompts(Toy):
    """The toy that is told a text: the mean of its words moves each colour. Without one it hears the empty text."""

    @property
    def is_conditional(self) -> bool:
        return True

    @property
    def hears(self) -> frozenset[str]:
        return frozenset({"prompt"})

    def condition(self, examples: Examples) -> TextEmbedding | None:
        if "prompt" not in examples:
            return None
        prompts = examples["prompt"]
        if isinstance(prompts, Tensor):
            raise UserError("ToyOfPrompts: the column prompt must be texts, and is of numbers")
        return embedded(prompts)

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        text = embedded([""] * len(x_t)) if condition is None else condition
        if not isinstance(text, TextEmbedding):
            raise UserError(f"ToyOfPrompts: conditional on text, and cannot use {type(text).__name__}")
        words = text.mask.sum(1).clamp(min=1)[:, None]
        mean = (text.embedding * text.mask[:, :, None]).sum(1) / words
        shift = 0.3 * torch.tanh(mean[:, :3])[:, :, None, None] * torch.ones_like(x_t)
        return super().forward(x_t, level).shifted(shift, level)
