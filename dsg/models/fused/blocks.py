"""What a U-Net is made of: residual blocks, attention, and what changes the resolution, all with frozen weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from dsg.models.fused.convolution import Convolution, Shortcut
from dsg.models.fused.norm import Parts
from dsg.models.fused.operations import operations_for

Resample = Callable[[Tensor], Tensor]


class Norm(nn.Module):
    """Group norm, and SiLU after it where asked.

    Args:
        norm: whose weights and groups these are.
        silu: whether the activation follows.
    """

    def __init__(self, norm: nn.GroupNorm, silu: bool = True) -> None:
        super().__init__()
        self.groups, self.eps, self.silu = norm.num_groups, norm.eps, silu
        self.gain, self.shift = nn.Parameter(norm.weight.float()), nn.Parameter(norm.bias.float())

    def forward(self, parts: Parts, offset: Tensor | None = None, modulation: Parts | None = None) -> Tensor:
        """The norm of the concatenated `parts` plus `offset`; `modulation` is the timestep's (scale, shift), (B, C)."""
        gain, shift = self.gain, self.shift
        if modulation is not None:
            scale, more = modulation
            gain, shift = gain * (1 + scale), shift * (1 + scale) + more
        return operations_for(parts[0]).norm_silu(parts, gain, shift, self.groups, self.eps, offset, self.silu)


class Residual(nn.Module):
    """x ↦ shortcut(R x) + W₂ silu(norm₂(W₁ R silu(norm₁ x))), the timestep in norm₂; R changes the resolution.

    Args:
        norm1, convolution1, norm2, convolution2: W and norms, in order; the last bias is that of the shortcut too.
        shortcut: where the widths differ; None is the identity.
        scales: the timestep scales and shifts norm₂, and asks for 2C numbers; else it is added before, and asks for C.
        resample: R; None is the identity.
    """

    def __init__(
        self, norm1: Norm, convolution1: Convolution, norm2: Norm, convolution2: Convolution,
        shortcut: Shortcut | None, scales: bool, resample: Resample | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.norm1, self.convolution1, self.norm2, self.convolution2 = norm1, convolution1, norm2, convolution2
        self.shortcut, self.scales, self.resample = shortcut, scales, resample

    def forward(self, parts: Parts, timestep: Tensor) -> Tensor:
        """(B, C_i, H, W) of each part, and the timestep's numbers for this block, (B, C or 2C) → (B, C, H', W')."""
        h = self.norm1(parts)
        if self.resample is not None:
            h, parts = self.resample(h), tuple(self.resample(part) for part in parts)
        h, bias = self.convolution1(h), self.convolution1.bias
        if self.scales:
            h = self.norm2((h,), offset=bias, modulation=timestep.chunk(2, dim=1))
        else:
            h = self.norm2((h,), offset=bias + timestep)
        terms = parts if self.shortcut is None else self.shortcut(parts)
        return operations_for(h).add(terms, h, self.convolution2)


class Attention(nn.Module):
    """x ↦ x + W softmax(q kᵀ/√d) v, with q, k, v of the norm of x, over the pixels and in heads.

    Args:
        norm: before it, without activation.
        qkv: the three matrices below each other, C → 3C.
        out: W.
        heads: number of heads.
    """

    def __init__(self, norm: Norm, qkv: nn.Linear, out: Convolution, heads: int) -> None:
        super().__init__()
        self.norm, self.out, self.heads = norm, out, heads
        self.weight, self.bias = nn.Parameter(qkv.weight), nn.Parameter(qkv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        batch, channels, height, width = x.shape
        pixels = self.norm((x,)).permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        qkv = F.linear(pixels, self.weight, self.bias).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, pixels, d) each
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, height, width, channels)
        return operations_for(x).add((x,), h.permute(0, 3, 1, 2), self.out)


class Downsample(nn.Module):
    """A convolution of stride 2, after a row and a column of zeros at the far ends where `pads`."""

    def __init__(self, convolution: Convolution, pads: bool) -> None:
        super().__init__()
        self.convolution, self.pads = convolution, pads

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H/2, W/2)."""
        return self.convolution(F.pad(x, (0, 1, 0, 1)) if self.pads else x, self.convolution.bias)


class Upsample(nn.Module):
    """Each pixel four times, then a convolution."""

    def __init__(self, convolution: Convolution, resample: Resample) -> None:
        super().__init__()
        self.convolution, self.resample = convolution, resample

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', 2H, 2W)."""
        return self.convolution(self.resample(x), self.convolution.bias)
