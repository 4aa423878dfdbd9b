"""The residual block of the EDM networks, in the two shapes that DDPM++/NCSN++ and ADM have."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dsg.models.edm.attention import attend
from dsg.models.edm.layers import Conv2d, group_norm


class UNetBlock(nn.Module):
    """Norm, SiLU, convolution (which may resample); the embedding; SiLU, convolution; plus a skip path; attention.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        emb_channels: of the embedding of noise level and class.
        up: double the size.
        down: halve the size.
        attention: self-attention after the block.
        num_heads: of the attention; null is one for each `channels_per_head`, which may be none at all.
        channels_per_head: width of a head, where `num_heads` does not say how many.
        dropout: of the training; a frozen network drops nothing.
        skip_scale: what the sum with a skip path is multiplied by.
        eps: of the norms.
        resample_filter: of the resampling.
        resample_proj: the skip path of a block that resamples has a 1×1 convolution at equal width too.
        adaptive_scale: the embedding scales, by 1 + s, and shifts the second norm, instead of being added before it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        emb_channels: int,
        up: bool = False,
        down: bool = False,
        attention: bool = False,
        num_heads: int | None = None,
        channels_per_head: int = 64,
        dropout: float = 0.0,
        skip_scale: float = 1.0,
        eps: float = 1e-5,
        resample_filter: Sequence[float] = (1, 1),
        resample_proj: bool = False,
        adaptive_scale: bool = True,
    ) -> None:
        super().__init__()
        self.skip_scale, self.adaptive_scale = skip_scale, adaptive_scale
        self.heads = 0 if not attention else num_heads or out_channels // channels_per_head
        self.norm0 = group_norm(in_channels, eps)
        self.conv0 = Conv2d(in_channels, out_channels, 3, up, down, resample_filter)
        self.affine = nn.Linear(emb_channels, out_channels * (2 if adaptive_scale else 1))
        self.norm1 = group_norm(out_channels, eps)
        self.conv1 = Conv2d(out_channels, out_channels, 3)
        self.skip = None
        if out_channels != in_channels or up or down:
            projects = resample_proj or out_channels != in_channels
            self.skip = Conv2d(in_channels, out_channels, int(projects), up, down, resample_filter)
        if self.heads:
            self.norm2 = group_norm(out_channels, eps)
            self.qkv = Conv2d(out_channels, 3 * out_channels, 1)
            self.proj = Conv2d(out_channels, out_channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(B, in_channels, H, W) and (B, emb_channels) → (B, out_channels, H', W')."""
        h = self.conv0(F.silu(self.norm0(x)))
        told = self.affine(embedding)[:, :, None, None].to(h.dtype)
        if self.adaptive_scale:
            scale, shift = told.chunk(2, dim=1)
            h = F.silu(torch.addcmul(shift, self.norm1(h), scale + 1.0))
        else:
            h = F.silu(self.norm1(h + told))
        x = (self.conv1(h) + (x if self.skip is None else self.skip(x))) * self.skip_scale
        if self.heads:
            x = (self.proj(attend(self.qkv(self.norm2(x)), self.heads)) + x) * self.skip_scale
        return x
