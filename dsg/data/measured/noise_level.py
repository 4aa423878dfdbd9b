"""How much noise measurements have at most, by their finest details."""

from __future__ import annotations

import torch
from torch import Tensor

HALF_OF_A_NORMAL = 0.6744897501960817  # its third quartile: half of all |n| are below


def noise_level(y: Tensor, mask: Tensor | None = None) -> float | None:
    """σ̂ = median |d| / 0.6745 over blocks of 2x2 pixels, with the diagonal detail of each:

        d = (y₀₀ − y₀₁ − y₁₀ + y₁₁)/2

    White noise of deviation σ gives d ~ N(0, σ²). The picture's own details add to it: it is an upper estimate, close
    where y is blurred. (Donoho & Johnstone 1994, Biometrika 81, section 3, with the Haar wavelet.)

    Args:
        y: (C,H,W).
        mask: (1,H,W), 1 where pixels are observed; blocks with others are left out.

    Returns:
        None where there is no block.
    """
    height, width = (side - side % 2 for side in y.shape[-2:])
    detail = _blocks(y[..., :height, :width] * _checkerboard(height, width)) / 2
    if mask is not None:
        whole = _blocks(mask[..., :height, :width]) == 4
        detail = detail[whole.expand_as(detail)]
    return detail.abs().median().item() / HALF_OF_A_NORMAL if detail.numel() else None


def _blocks(x: Tensor) -> Tensor:
    """The sum over each block of 2x2."""
    return x.unflatten(-1, (-1, 2)).sum(-1).unflatten(-2, (-1, 2)).sum(-2)


def _checkerboard(height: int, width: int) -> Tensor:
    return 1.0 - 2.0 * ((torch.arange(height)[:, None] + torch.arange(width)) % 2)
