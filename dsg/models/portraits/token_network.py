"""The network behind the portraits' token model: a small transformer that sees all of a sequence at once.

A token is a place of the latent world, 16x16 of them: the nearest of 256 codes to its four numbers. So a network of
tokens, the codes and the decoder of the latent world make portraits.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from dsg.data.portraits import CLASSES
from dsg.models.precision import KeepsBuffers

SIDE, CHANNELS = 16, 4  # of the latents
LENGTH, CODES = SIDE * SIDE, 256
NULL_CLASS = len(CLASSES)  # the label that says nothing: unconditional
WIDTH, DEPTH, HEADS = 128, 6, 4
REACH = 5  # places of a side of what is nearby
STD, WIDENING = 0.02, ("ask.weight", "perceptron.0.weight")  # of the first weights, and what else has it
WEIGHTS = Path(__file__).with_name("tokens.safetensors")


class Nearby(nn.Module):
    """What the tokens around each say of it: a convolution of the grid in which they lie, each channel by itself (Chu
    et al. 2021, 2102.10882). Attention would have to learn first what is near. A length that is no square is a row.
    """

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        side = math.isqrt(length)
        self.grid = (side, side) if side**2 == length else (1, length)
        self.convolution = nn.Conv2d(width, width, REACH, padding=REACH // 2, groups=width)
        for weight in self.convolution.parameters():
            nn.init.zeros_(weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x.mT.unflatten(2, self.grid)).flatten(2).mT


class Block(nn.Module):
    """What is nearby, attention and a perceptron, each beside a shortcut and the latter two after a norm (Xiong et al.
    2020, 2002.04745).
    """

    def __init__(self, width: int, heads: int, length: int, least: float) -> None:
        """`least`: deviation of the weights of what is added to the shortcuts."""
        super().__init__()
        self.heads = heads
        self.nearby = Nearby(width, length)
        self.before_attention, self.before_perceptron = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        narrow = nn.Linear(4 * width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), narrow)
        for linear in (self.answer, narrow):
            nn.init.normal_(linear.weight, std=least)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.nearby(x)
        parts = self.ask(self.before_attention(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = x + self.answer(seen)
        return x + self.perceptron(self.before_perceptron(x))


class TokenNetwork(nn.Module):
    """(tokens (B,L) int64 from 0 to V, labels (B,) int64 from 0 to K) → logits (B,L,V).

    Args:
        length, vocabulary, classes: L, V and K; V is the mask, K is no class.
        width, depth, heads: of the transformer.
    """

    def __init__(
        self,
        length: int = LENGTH,
        vocabulary: int = CODES,
        classes: int = NULL_CLASS,
        width: int = WIDTH,
        depth: int = DEPTH,
        heads: int = HEADS,
    ) -> None:
        super().__init__()
        self.token, self.label = nn.Embedding(vocabulary + 1, width), nn.Embedding(classes + 1, width)
        self.place = nn.Parameter(torch.zeros(length, width))
        least = STD / (2 * depth) ** 0.5  # the smaller the more are added
        self.blocks = nn.Sequential(*(Block(width, heads, length, least) for _ in range(depth)))
        self.last = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)
        for name, weight in self.named_parameters():
            if name in ("token.weight", "label.weight", "place", "head.weight") or name.endswith(WIDENING):
                nn.init.normal_(weight, std=STD)

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        x = self.token(tokens) + self.place + self.label(labels)[:, None]
        return self.head(self.last(self.blocks(x)))


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
