"""The words of the captions as numbers: those that the latent world's tokenizer has whole, without its library."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from dsg.errors import UserError

VOCABULARY = Path(__file__).parent / "latent" / "tokenizer" / "vocab.json"
PADDING = 0
UNKNOWN = 1  # any word that captions do not use


@cache
def numbers() -> dict[str, int]:
    """Each word and its number, from 2 on; letters alone but for `a` and `v` are none."""
    tokens = json.loads(VOCABULARY.read_text())
    words = sorted(token.removesuffix("</w>") for token in tokens if re.fullmatch(r"([a-z]{2,}|a|v)</w>", token))
    return {word: number for number, word in enumerate(words, start=2)}


def count() -> int:
    """How many numbers there are, with those of padding and of unknown words."""
    return len(numbers()) + 2


def word_rows(texts: Sequence[str]) -> Tensor:
    """Numbers of the words, (B,L) int64, padded to the longest text. Case and punctuation do not matter.

    Raises:
        UserError: for a text without any known word, of which the network could say nothing.
    """
    known = numbers()
    rows = [[known.get(word, UNKNOWN) for word in re.findall(r"[a-z]+", text.lower())] for text in texts]
    for text, row in zip(texts, rows, strict=True):
        if all(number == UNKNOWN for number in row):
            raise UserError(
                f"text: {text!r} has no word that the portraits' captions use; write it as dsg.data.portraits.caption "
                "does, such as 'a person with red hair and a cap'"
            )
    longest = max((len(row) for row in rows), default=0)
    return torch.tensor([row + [PADDING] * (longest - len(row)) for row in rows], dtype=torch.long)
