"""y = silu(a x + b), where a and b hold the statistics of x: sums over chunks, one number a channel, one pass.

Of each chunk and channel the mean and the sum of squared differences from it are kept, and put together as Chan, Golub
& LeVeque 1979 do: no variance is the difference of two large numbers.
"""

# pyright: reportArgumentType=false, reportIndexIssue=false
from __future__ import annotations

import triton
import triton.language as tl

from dsg.models.fused.kernels.tiles import load_row, load_tile


@triton.jit
def chunk_statistics(
    one, two, means, squares, pixels, channels, first, ROWS: tl.constexpr, PIXELS: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """Mean and sum of squared differences of every channel in a chunk of pixels: (images, chunks, channels) each."""
    chunk, image = tl.program_id(0), tl.program_id(2)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    start = chunk * ROWS
    # around a value of the channel's own, squares are small
    centre = tl.sum(load_tile(one, two, image, start + tl.arange(0, 1), channel, pixels, channels, first), 0)
    total = tl.zeros((BLOCK,), tl.float32)
    square = tl.zeros((BLOCK,), tl.float32)
    for row in range(0, ROWS, PIXELS):
        pixel = start + row + tl.arange(0, PIXELS)
        x = load_tile(one, two, image, pixel, channel, pixels, channels, first) - centre[None, :]
        x = tl.where((pixel < pixels)[:, None], x, 0.0)
        total += tl.sum(x, 0)
        square += tl.sum(x * x, 0)
    count = tl.minimum(pixels - start, ROWS).to(tl.float32)
    place = (image * tl.num_programs(0) + chunk) * channels + channel
    tl.store(means + place, centre + total / count, mask=channel < channels)
    tl.store(squares + place, square - total * total / count, mask=channel < channels)


@triton.jit
def coefficients(
    means, squares, gain, shift, offset, out, pixels, channels, chunks, rows, gain_row, offset_row, eps,
    CHUNKS: tl.constexpr, GROUP: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Of one group of an image: a, b, μ − p and r of its channels, into `out`, (images, 4, channels).

    Rows of `gain`, `shift` and `offset` are `gain_row` and `offset_row` apart: 0 where all images share them.
    """
    group, image = tl.program_id(0), tl.program_id(1)
    inside = tl.arange(0, WIDTH) < GROUP
    channel = group * GROUP + tl.arange(0, WIDTH)
    p = tl.load(offset + image * offset_row + channel, mask=inside, other=0.0).to(tl.float32)
    chunk = tl.arange(0, CHUNKS)
    count = tl.maximum(tl.minimum(pixels - chunk * rows, rows), 0).to(tl.float32)[:, None]
    place = (image * chunks + chunk)[:, None] * channels + channel[None, :]
    there = (chunk < chunks)[:, None] & inside[None, :]
    mean_of = tl.where(there, tl.load(means + place, mask=there, other=0.0) + p[None, :], 0.0)
    numbers = 1.0 * pixels * GROUP
    mean = tl.sum(tl.sum(mean_of * count, 1), 0) / numbers
    away = tl.where(there, mean_of - mean, 0.0)
    square = tl.load(squares + place, mask=there, other=0.0) + count * away * away
    rstd = 1.0 / tl.sqrt(tl.sum(tl.sum(square, 1), 0) / numbers + eps)
    a = tl.load(gain + image * gain_row + channel, mask=inside, other=0.0).to(tl.float32) * rstd
    b = tl.load(shift + image * gain_row + channel, mask=inside, other=0.0).to(tl.float32) + a * (p - mean)
    row = out + image * 4 * channels + channel
    tl.store(row, a, mask=inside)
    tl.store(row + channels, b, mask=inside)
    tl.store(row + 2 * channels, mean - p, mask=inside)
    tl.store(row + 3 * channels, rstd + tl.zeros((WIDTH,), tl.float32), mask=inside)


@triton.jit
def apply(
    one, two, out, table, pixels, channels, first,
    ROWS: tl.constexpr, PIXELS: tl.constexpr, BLOCK: tl.constexpr, SILU: tl.constexpr,
):  # fmt: skip
    """y, with a and b from the table that `coefficients` made."""
    chunk, image = tl.program_id(0), tl.program_id(2)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    a = load_row(table, image, 0, channel, channels, 4)[None, :]
    b = load_row(table, image, 1, channel, channels, 4)[None, :]
    for row in range(0, ROWS, PIXELS):
        pixel = chunk * ROWS + row + tl.arange(0, PIXELS)
        y = a * load_tile(one, two, image, pixel, channel, pixels, channels, first) + b
        if SILU:
            y = y * tl.sigmoid(y)
        inside = (pixel < pixels)[:, None] & (channel < channels)[None, :]
        tl.store(out + (image.to(tl.int64) * pixels + pixel[:, None]) * channels + channel[None, :], y, mask=inside)
