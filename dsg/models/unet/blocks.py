"""What the U-Net of Ho et al. 2020 is made of. Parameters have the names that they have in diffusers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """shortcut(x) + W₂ silu(norm₂(W₁ silu(norm₁ x) + what is told)), (B,before,H,W) → (B,after,H,W).

    Args:
        before, after: channels.
        told: how many numbers tell of the timestep and the label.
        groups: of the norms.
    """

    def __init__(self, before: int, after: int, told: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.time_emb_proj = nn.Linear(told, after)
        self.norm2 = nn.GroupNorm(groups, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.conv_shortcut = None if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h + self.time_emb_proj(told)[:, :, None, None])
        h = self.conv2(F.silu(h))
        return (x if self.conv_shortcut is None else self.conv_shortcut(x)) + h


class Attention(nn.Module):
    """x + W softmax(QKᵀ/√d) V over the pixels of norm(x), (B,width,H,W) → the same.

    Args:
        width: channels; those of a head divide them.
        head_width: channels of a head, d.
        groups: of the norm.
    """

    def __init__(self, width: int, head_width: int, groups: int) -> None:
        super().__init__()
        self.heads = width // head_width
        self.group_norm = nn.GroupNorm(groups, width)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.group_norm(x.flatten(2)).transpose(1, 2)
        query, key, value = (self._by_head(linear(pixels)) for linear in (self.to_q, self.to_k, self.to_v))
        seen = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return self.to_out(seen).transpose(1, 2).reshape(x.shape) + x

    def _by_head(self, pixels: Tensor) -> Tensor:
        """(B,HW,width) → (B,heads,HW,d)."""
        return pixels.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Downsample(nn.Module):
    """Half the resolution by a strided convolution, (B,width,H,W) → (B,width,H/2,W/2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    """Twice the resolution, and a convolution, (B,width,H,W) → (B,width,2H,2W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class TimeEmbedding(nn.Module):
    """Two layers over cos(ω_k t) and sin(ω_k t), ω_k = 10000^(−2k/width), (B,) → (B,told)."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.width = width
        self.linear_1 = nn.Linear(width, told)
        self.linear_2 = nn.Linear(told, told)

    def forward(self, t: Tensor) -> Tensor:
        half = self.width // 2
        exponents = -math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / half
        angles = t[:, None].float() * exponents.exp()
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1).to(self.linear_1.weight.dtype)
        return self.linear_2(F.silu(self.linear_1(waves)))
