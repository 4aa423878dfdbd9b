"""Layers of the EDM networks: convolutions that also resample, norms in groups, embeddings of the noise level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dsg.models.precision import KeepsBuffers


class Conv2d(nn.Module):
    """A convolution, a resampling by a separable filter f, or one after the other.

    The filter is f fᵀ/(Σf)². Down, it is applied with stride 2 and zeros outside; up, transposed, with gain 4. It comes
    before the k×k convolution, the bias after everything.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; those of the input where `kernel` is 0.
        kernel: k, odd; 0 is resampling alone, without a weight.
        up: double the size.
        down: halve the size.
        resample_filter: f.
        fused_resample: on the way down, the convolution comes first, at full size and over one ring more of zeros for
            each that the filter wants, and the filter sees no zeros of its own.
    """

    resample_filter: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        up: bool = False,
        down: bool = False,
        resample_filter: Sequence[float] = (1, 1),
        fused_resample: bool = False,
    ) -> None:
        super().__init__()
        self.up, self.down, self.fused_resample = up, down, fused_resample
        self.weight = self.bias = None
        if kernel:
            scale = 1.0 / math.sqrt(in_channels * kernel**2)
            self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel) * scale)
            self.bias = nn.Parameter(torch.zeros(out_channels))
        f = torch.as_tensor(resample_filter, dtype=torch.float32)
        self.register_buffer("resample_filter", (f.outer(f) / f.sum() ** 2)[None, None] if up or down else None)

    def forward(self, x: Tensor) -> Tensor:
        around = 0 if self.weight is None else self.weight.shape[-1] // 2
        if self.down and self.fused_resample and self.weight is not None:
            x = self._filtered(F.conv2d(x, self.weight, padding=around + self._filter_padding), padding=0)
        else:
            x = self._filtered(x, self._filter_padding) if self.up or self.down else x
            x = x if self.weight is None else F.conv2d(x, self.weight, padding=around)
        return x if self.bias is None else x + self.bias.to(x.dtype)[:, None, None]

    @property
    def _filter_padding(self) -> int:
        assert self.resample_filter is not None
        return (self.resample_filter.shape[-1] - 1) // 2

    def _filtered(self, x: Tensor, padding: int) -> Tensor:
        assert self.resample_filter is not None
        channels = x.shape[1]
        f = self.resample_filter.to(x.dtype).expand(channels, -1, -1, -1)
        if self.up:
            return F.conv_transpose2d(x, 4.0 * f, groups=channels, stride=2, padding=padding)
        return F.conv2d(x, f, groups=channels, stride=2, padding=padding)


def group_norm(channels: int, eps: float = 1e-5) -> nn.GroupNorm:
    """Groups of four channels, at most 32 of them."""
    return nn.GroupNorm(min(32, channels // 4), channels, eps)


class PositionalEmbedding(nn.Module):
    """[cos, sin] of c·10000^(−k/m), k = 0..n/2−1; (B,) → (B, n), float32.

    Args:
        num_channels: n.
        endpoint: m = n/2 − 1, so that both ends are among the frequencies, instead of m = n/2.
    """

    def __init__(self, num_channels: int, endpoint: bool = False) -> None:
        super().__init__()
        self.num_channels, self.endpoint = num_channels, endpoint

    def forward(self, c: Tensor) -> Tensor:
        half = self.num_channels // 2
        k = torch.arange(half, dtype=torch.float32, device=c.device)
        angles = c.float().outer(1e-4 ** (k / (half - self.endpoint)))
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class FourierEmbedding(KeepsBuffers):
    """[cos, sin] of 2π f c for frequencies f that were drawn once, from N(0, scale²); (B,) → (B, n), float32.

    Args:
        num_channels: n.
        scale: their standard deviation.
    """

    freqs: Tensor

    def __init__(self, num_channels: int, scale: float = 16.0) -> None:
        super().__init__()
        self.register_buffer("freqs", torch.randn(num_channels // 2) * scale)

    def forward(self, c: Tensor) -> Tensor:
        angles = c.float().outer(2.0 * math.pi * self.freqs)
        return torch.cat([angles.cos(), angles.sin()], dim=1)


def sines_first(embedding: Tensor) -> Tensor:
    """[cos, sin] → [sin, cos], (B, n)."""
    return torch.cat(embedding.chunk(2, dim=1)[::-1], dim=1)
