"""EDM2's magnitude-preserving layers: what comes in with unit magnitude goes out with it, so that nothing needs a norm.

Karras et al. 2024, "Analyzing and improving the training dynamics of diffusion models" (2312.02696).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dsg.models.precision import KeepsBuffers


def normalize(x: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """x/(1e-4 + RMS), the RMS over `dim`, by default over all axes but the first (eq. 66)."""
    dims = tuple(range(1, x.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    rms = x.float().square().mean(dim=dims, keepdim=True).sqrt()
    return x / (1e-4 + rms).to(x.dtype)


def mp_silu(x: Tensor) -> Tensor:
    """SiLU/0.596 (eq. 81)."""
    return F.silu(x) / 0.596


def mp_sum(a: Tensor, b: Tensor, t: float = 0.5) -> Tensor:
    """((1−t) a + t b)/√((1−t)² + t²) (eq. 88)."""
    return a.lerp(b, t) / math.hypot(1.0 - t, t)


def mp_cat(a: Tensor, b: Tensor, t: float = 0.5) -> Tensor:
    """[(1−t) C/√N_a a, t C/√N_b b] along the channels, C = √((N_a+N_b)/((1−t)² + t²)) (eq. 103)."""
    n_a, n_b = a.shape[1], b.shape[1]
    scale = math.sqrt(n_a + n_b) / math.hypot(1.0 - t, t)
    return torch.cat([a * ((1.0 - t) * scale / math.sqrt(n_a)), b * (t * scale / math.sqrt(n_b))], dim=1)


def resample(x: Tensor, mode: Literal["keep", "up", "down"] = "keep") -> Tensor:
    """Double the size by repetition, halve it by means of 2×2, or keep it: the filter is [1, 1] in all networks."""
    if mode == "keep":
        return x
    return F.avg_pool2d(x, 2) if mode == "down" else F.interpolate(x, scale_factor=2.0, mode="nearest")


class MPConv(nn.Module):
    """A convolution or a linear layer, without bias, whose weight has rows of unit magnitude: gain·w/(√n (1e-4 + RMS)),
    n numbers in a row (eq. 47). Stored weights do not, so that they are normalised at every use.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: [k, k]; [] is a linear layer.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: Sequence[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, *kernel))

    def forward(self, x: Tensor, gain: float | Tensor = 1.0) -> Tensor:
        weight = normalize(self.weight.float()) * (gain / math.sqrt(self.weight[0].numel()))
        weight = weight.to(x.dtype)
        return x @ weight.T if weight.ndim == 2 else F.conv2d(x, weight, padding=weight.shape[-1] // 2)


class MPFourier(KeepsBuffers):
    """√2 cos(f c + φ) for frequencies and phases that were drawn once (eq. 75); (B,) → (B, n), float32.

    Args:
        num_channels: n.
        bandwidth: standard deviation of f/2π.
    """

    freqs: Tensor
    phases: Tensor

    def __init__(self, num_channels: int, bandwidth: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("freqs", 2.0 * math.pi * torch.randn(num_channels) * bandwidth)
        self.register_buffer("phases", 2.0 * math.pi * torch.rand(num_channels))

    def forward(self, c: Tensor) -> Tensor:
        return math.sqrt(2.0) * (c.float().outer(self.freqs) + self.phases).cos()
