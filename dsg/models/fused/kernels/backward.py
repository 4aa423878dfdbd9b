"""dx = a dh + e (x − μ + p) + f, where e and f hold two sums: dh is computed anew from x and dy, and never stored."""

# pyright: reportArgumentType=false, reportIndexIssue=false
from __future__ import annotations

import triton
import triton.language as tl

from dsg.models.fused.kernels.tiles import load_row, load_tile, store_tile


@triton.jit
def gradient_of_h(dy, h, SILU: tl.constexpr):
    """dh = dy σ(h) (1 + h (1 − σ(h))), or dy without activation."""
    if SILU:
        s = tl.sigmoid(h)
        dy = dy * s * (1.0 + h * (1.0 - s))
    return dy


@triton.jit
def chunk_sums(
    one, two, dy, table, sums, pixels, channels, first,
    ROWS: tl.constexpr, PIXELS: tl.constexpr, BLOCK: tl.constexpr, SILU: tl.constexpr,
):  # fmt: skip
    """Σ dh and Σ dh x̂ of every channel in a chunk of pixels, into `sums`, (images, chunks, 2, channels)."""
    chunk, image = tl.program_id(0), tl.program_id(2)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    a = load_row(table, image, 0, channel, channels, 4)[None, :]
    b = load_row(table, image, 1, channel, channels, 4)[None, :]
    mean = load_row(table, image, 2, channel, channels, 4)[None, :]
    rstd = load_row(table, image, 3, channel, channels, 4)[None, :]
    sum_dh = tl.zeros((BLOCK,), tl.float32)
    sum_dhx = tl.zeros((BLOCK,), tl.float32)
    for row in range(0, ROWS, PIXELS):
        pixel = chunk * ROWS + row + tl.arange(0, PIXELS)
        x = load_tile(one, two, image, pixel, channel, pixels, channels, first)
        # outside dy is 0, and so is all that follows
        dh = gradient_of_h(load_tile(dy, dy, image, pixel, channel, pixels, channels, channels), a * x + b, SILU)
        sum_dh += tl.sum(dh, 0)
        sum_dhx += tl.sum(dh * (x - mean) * rstd, 0)
    place = (image * tl.num_programs(0) + chunk) * 2 * channels + channel
    tl.store(sums + place, sum_dh, mask=channel < channels)
    tl.store(sums + place + channels, sum_dhx, mask=channel < channels)


@triton.jit
def coefficients(
    sums, table, out, pixels, channels, chunks, CHUNKS: tl.constexpr, GROUP: tl.constexpr, WIDTH: tl.constexpr
):  # fmt: skip
    """Of one group of an image: e and f of its channels, into `out`, (images, 2, channels)."""
    group, image = tl.program_id(0), tl.program_id(1)
    inside = tl.arange(0, WIDTH) < GROUP
    channel = group * GROUP + tl.arange(0, WIDTH)
    row = table + image * 4 * channels + channel
    rstd = tl.load(row + 3 * channels, mask=inside, other=1.0)
    gain = tl.load(row, mask=inside, other=0.0) / rstd
    chunk = tl.arange(0, CHUNKS)
    place = (image * chunks + chunk)[:, None] * 2 * channels + channel[None, :]
    there = (chunk < chunks)[:, None] & inside[None, :]
    numbers = 1.0 * pixels * GROUP
    mean_q = tl.sum(gain * tl.sum(tl.load(sums + place, mask=there, other=0.0), 0), 0) / numbers
    mean_qx = tl.sum(gain * tl.sum(tl.load(sums + place + channels, mask=there, other=0.0), 0), 0) / numbers
    to = out + image * 2 * channels + channel
    tl.store(to, -rstd * rstd * mean_qx, mask=inside)
    tl.store(to + channels, -rstd * mean_q, mask=inside)


@triton.jit
def apply(
    one, two, dy, table, ends, d_one, d_two, pixels, channels, first,
    ROWS: tl.constexpr, PIXELS: tl.constexpr, BLOCK: tl.constexpr, SILU: tl.constexpr,
):  # fmt: skip
    """dx, each part's into its own tensor."""
    chunk, image = tl.program_id(0), tl.program_id(2)
    channel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    a = load_row(table, image, 0, channel, channels, 4)[None, :]
    b = load_row(table, image, 1, channel, channels, 4)[None, :]
    mean = load_row(table, image, 2, channel, channels, 4)[None, :]
    e = load_row(ends, image, 0, channel, channels, 2)[None, :]
    f = load_row(ends, image, 1, channel, channels, 2)[None, :]
    for row in range(0, ROWS, PIXELS):
        pixel = chunk * ROWS + row + tl.arange(0, PIXELS)
        x = load_tile(one, two, image, pixel, channel, pixels, channels, first)
        dh = gradient_of_h(load_tile(dy, dy, image, pixel, channel, pixels, channels, channels), a * x + b, SILU)
        dx = a * dh + e * (x - mean) + f
        store_tile(d_one, d_two, dx, image, pixel, channel, pixels, channels, first)
