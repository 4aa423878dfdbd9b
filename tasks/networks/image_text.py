"""Networks that put pictures and texts into one space, and what texts they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dsg.errors import UserError
from dsg.types import Image


@runtime_checkable
class ImageText(Protocol):
    """A module that is asked about pictures and about texts, such as `tasks.networks.clip.CLIP`."""

    def forward(self, images: Image) -> Tensor:
        """(B,C,H,W) in [−1, 1] → (B,D), differentiable."""
        ...

    def text_features(self, texts: list[str]) -> Tensor:
        """B texts → (B,D) on the network's device. Raises UserError for a text that it does not take."""
        ...


@runtime_checkable
class ChecksTexts(Protocol):
    """One that can tell which texts it takes without being asked about each."""

    def check_texts(self, texts: Mapping[str, str]) -> None:
        """Raise UserError for a text that it does not take, each given by whose it is."""
        ...


def needs_texts(network: nn.Module, option: str) -> ImageText:
    """The network. Raises UserError, naming the `option`, if it takes no texts."""
    if not isinstance(network, ImageText):
        raise UserError(
            f"{option}: {type(network).__name__} takes no texts (it has no text_features); take one of both, such as "
            "tasks.networks.clip.CLIP"
        )
    return network


@torch.no_grad()
def check_texts(network: ImageText, texts: Mapping[str, str]) -> None:
    """Raise UserError for an empty text, and for one that the network does not take.

    Args:
        network: is asked about each distinct text, unless it can tell.
        texts: each by whose it is, as `prompt of a`.
    """
    if empty := next((whose for whose, text in texts.items() if not text.strip()), None):
        raise UserError(f"{empty}: is empty, and asks for nothing; write what the picture should show")
    if isinstance(network, ChecksTexts):
        network.check_texts(texts)
        return
    whose_of = {text: whose for whose, text in reversed(list(texts.items()))}
    for text, whose in whose_of.items():
        try:
            network.text_features([text])
        except UserError as error:
            raise UserError(f"{whose}: {error}") from error
