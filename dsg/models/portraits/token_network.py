"""The network behind the portraits' token model: a small U-Net that sees all of a sequence at once.

A token is a place of the latent world, 16x16 of them: the nearest of 256 codes to its four numbers. So a network of
tokens, the codes and the decoder of the latent world make portraits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dsg.data.portraits import CLASSES
from dsg.models.precision import KeepsBuffers
from dsg.models.unet import UNet

SIDE, CHANNELS = 16, 4  # of the latents
LENGTH, CODES = SIDE * SIDE, 256
NULL_CLASS = len(CLASSES)  # the label that says nothing: unconditional
WIDTHS, ATTENTION = (64, 96, 96), (False, True, True)  # at 16, 8 and 4 places a side
WEIGHTS = Path(__file__).with_name("tokens.safetensors")


class TokenNetwork(nn.Module):
    """(tokens (B,L) int64 from 0 to V, labels (B,) int64 from 0 to K) → logits (B,L,V).

    A U-Net of the square grid in which the tokens lie, row by row, between an embedding of tokens and a linear layer.
    Its timestep is a thousand times the share of tokens that are masked, which the tokens themselves tell.

    Args:
        length, vocabulary, classes: L, V and K; V is the mask, K is no class. L is the square of a side that can be
            halved once less than there are widths.
        widths, attention: of the U-Net, from its finest resolution to its coarsest.
    """

    def __init__(
        self,
        length: int = LENGTH,
        vocabulary: int = CODES,
        classes: int = NULL_CLASS,
        widths: Sequence[int] = WIDTHS,
        attention: Sequence[bool] = ATTENTION,
    ) -> None:
        super().__init__()
        self.mask, self.side = vocabulary, math.isqrt(length)
        self.token = nn.Embedding(vocabulary + 1, widths[0])
        self.unet = UNet(widths[0], widths, attention, classes + 1)
        self.head = nn.Linear(widths[0], vocabulary)

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        share = (tokens == self.mask).float().mean(1)
        grid = self.token(tokens).mT.unflatten(2, (self.side, self.side))
        return self.head(self.unet(grid, 1000 * share, labels).flatten(2).mT)


class CodedNetwork(KeepsBuffers):
    """The network and its codes, as one file holds them. `codes` are (V, 4), and stay float32 under a cast."""

    def __init__(self, network: TokenNetwork | None = None, codes: Tensor | None = None) -> None:
        super().__init__()
        self.network = network or TokenNetwork()
        self.codes: Tensor
        self.register_buffer("codes", torch.zeros(CODES, CHANNELS) if codes is None else codes)


def nearest_codes(latents: Tensor, codes: Tensor) -> Tensor:
    """Tokens (N,L) int64 of latents (N,4,16,16): at each place, row by row, the code (V,4) that is nearest."""
    places = latents.flatten(2).transpose(1, 2).reshape(-1, latents.shape[1])
    nearest = torch.cat([torch.cdist(part, codes).argmin(1) for part in places.split(2**15)])
    return nearest.reshape(len(latents), -1)


def as_latents(tokens: Tensor, codes: Tensor) -> Tensor:
    """Latents (N,4,16,16) of tokens (N,L)."""
    return codes[tokens].transpose(1, 2).unflatten(2, (SIDE, SIDE))
