"""From texts to the condition of a network, by one encoder or several."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from dsg.errors import UserError
from dsg.models.text.condition import TextCondition
from dsg.models.text.encoder import Encoded, TextEncoder
from dsg.models.text.prompts import OPTIONS

log = logging.getLogger(__name__)


class TextEncoding(nn.Module, ABC):
    """Text encoders that hear the same text. Subclasses write `combine`.

    Args:
        encoders: each with its tokenizer.
        truncate: cut texts that are longer than an encoder takes, which is logged; otherwise they are refused.
    """

    def __init__(self, encoders: Sequence[TextEncoder], truncate: bool = False) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.truncate = truncate
        self._cut: set[str] = set()  # texts that have been told to be cut

    @abstractmethod
    def combine(self, encoded: Sequence[Encoded]) -> TextCondition:
        """What the network is told, of what each encoder says."""

    def forward(self, texts: Sequence[str]) -> TextCondition:
        """The condition of B texts, each distinct one encoded once.

        Raises:
            UserError: for a text that is longer than an encoder takes.
        """
        self.check({f"the text {text[:40]!r}": text for text in texts})
        distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        condition = self.combine([encoder(list(distinct)) for encoder in self._encoders()])
        return condition.rows(torch.tensor([distinct[text] for text in texts]))

    def blank(self) -> TextCondition:
        """The condition of one text in its shapes, on no device."""
        return self.combine([encoder.blank() for encoder in self._encoders()])

    def check(self, texts: Mapping[str, str]) -> None:
        """Refuse, or tell of, texts that are longer than an encoder takes.

        Args:
            texts: each by whose it is, as `prompt of a` or the option's name.

        Raises:
            UserError: names the first of them, how many tokens it has and how many the encoder takes.
        """
        whose_of = {text: whose for whose, text in reversed(list(texts.items())) if text not in self._cut}
        for encoder in self._encoders():
            takes = encoder.tokenizer.length
            counts = {text: n for text in whose_of if (n := encoder.tokenizer.count(text)) > takes}
            if not counts:
                continue
            text, tokens = next(reversed(counts.items()))
            more = f" (and {len(counts) - 1} others are too long)" if len(counts) > 1 else ""
            line = f"{whose_of[text]}: has {tokens} tokens, and {encoder.folder.name} takes {takes}{more}"
            if not self.truncate:
                raise UserError(f"{line}; shorten it, or set {OPTIONS}.truncate to true, which cuts its end")
            log.warning("%s; what is beyond is cut", line)
            self._cut.update(counts)

    def _encoders(self) -> list[TextEncoder]:
        return [encoder for encoder in self.encoders if isinstance(encoder, TextEncoder)]


class OneEncoder(TextEncoding):
    """Stable Diffusion 1 and 2: the last layer of one encoder."""

    def combine(self, encoded: Sequence[Encoded]) -> TextCondition:
        (only,) = encoded
        return TextCondition(only.last)
