"""How kernels walk over channels-last feature maps, of one tensor or of two that stand for their concatenation."""

# pyright: reportArgumentType=false, reportIndexIssue=false
from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

PIXELS = 32  # of a tile; its channels are as many as fit into 2048 numbers
CHUNKS = 256  # programs that an image's statistics are shared out to, at most: a GPU has about as many places


@dataclass(frozen=True)
class Walk:
    """Sizes of a batch of feature maps for a kernel, and its grid."""

    batch: int
    channels: int
    pixels: int
    first: int  # channels of the first of the parts

    @classmethod
    def over(cls, parts: tuple[Tensor, ...]) -> Walk:
        batch, _, height, width = parts[0].shape
        return cls(batch, sum(part.shape[1] for part in parts), height * width, parts[0].shape[1])

    @property
    def block(self) -> int:
        """Channels of a tile."""
        return min(triton.next_power_of_2(self.channels), 64)

    @property
    def rows(self) -> int:
        """Pixels of a chunk, a multiple of those of a tile."""
        tiles = triton.cdiv(self.pixels, PIXELS)
        return triton.cdiv(tiles, min(tiles, CHUNKS)) * PIXELS

    @property
    def chunks(self) -> int:
        return triton.cdiv(self.pixels, self.rows)

    @property
    def grid(self) -> tuple[int, int, int]:
        """(chunks, blocks of channels, images)."""
        return self.chunks, triton.cdiv(self.channels, self.block), self.batch


def laid_out(parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The parts in channels-last memory, which they have already unless somebody from outside made them."""
    return tuple(part.contiguous(memory_format=torch.channels_last) for part in parts)


@triton.jit
def load_tile(one, two, image, pixel, channel, pixels, channels, first):
    """x of (pixel, channel) in float32, from `one` below channel `first` and from `two` above; 0 outside."""
    inside = (pixel < pixels)[:, None] & (channel < channels)[None, :]
    row = image.to(tl.int64) * pixels + pixel[:, None]
    below = channel[None, :] < first
    x = tl.load(one + row * first + channel[None, :], mask=inside & below, other=0.0)
    more = tl.load(two + row * (channels - first) + (channel[None, :] - first), mask=inside & ~below, other=0.0)
    return tl.where(below, x, more).to(tl.float32)


@triton.jit
def store_tile(one, two, value, image, pixel, channel, pixels, channels, first):
    """The opposite of `load_tile`."""
    inside = (pixel < pixels)[:, None] & (channel < channels)[None, :]
    row = image.to(tl.int64) * pixels + pixel[:, None]
    below = channel[None, :] < first
    tl.store(one + row * first + channel[None, :], value, mask=inside & below)
    tl.store(two + row * (channels - first) + (channel[None, :] - first), value, mask=inside & ~below)


@triton.jit
def load_row(table, image, row, channel, channels, ROWS: tl.constexpr):
    """Row `row` of an image in a table (images, ROWS, channels); 0 outside."""
    return tl.load(table + (image * ROWS + row) * channels + channel, mask=channel < channels, other=0.0)
