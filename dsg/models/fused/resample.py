"""Halving and doubling of feature maps, each the other's backward: neither keeps an activation, both keep the layout.

(pool x)_i = mean of the 2×2 pixels under i,   (spread x)_j = x of the pixel above j,   spread = 4 poolᵀ
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def pool(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, H/2, W/2), H and W even: the mean of 2×2."""
    return _Pool.apply(x)


def spread(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 2H, 2W): each pixel four times."""
    return _Spread.apply(x)


def _pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2)


def _spread(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _pool(x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:  # type: ignore[override]
        return _spread(dy / 4)


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _spread(x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:  # type: ignore[override]
        return 4 * _pool(dy)
