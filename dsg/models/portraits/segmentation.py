"""Which part of a portrait each pixel shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dsg.data.portraits import SEGMENTS
from dsg.models.portraits.layers import Conv, Residual
from dsg.models.portraits.twin import Role, Twin


class PortraitsSegmentation(Twin):
    """log p(part | x) of each pixel up to a constant, images (B,3,64,64) in [−1, 1] → logits (B,11,64,64).

    The parts are `dsg.data.portraits.SEGMENTS`, in their order.
    """

    kind = "segmentation"
    num_classes = len(SEGMENTS)

    @staticmethod
    def build(role: Role) -> nn.Module:
        return Ladder() if role == "guide" else Dilated()


def _pixels(width: int) -> nn.Sequential:
    """Features at 32×32 → logits of all pixels: four pixels are answered at each place."""
    return nn.Sequential(nn.Conv2d(width, 4 * len(SEGMENTS), 3, padding=1), nn.PixelShuffle(2))


class Ladder(nn.Module):
    """Down to 8×8 and up again, with what was seen on the way down (Ronneberger et al. 2015); smooth."""

    def __init__(self) -> None:
        super().__init__()
        self.down_32 = Conv(3, 24, "silu", 2, 5)
        self.down_16 = nn.Sequential(Conv(24, 48, "silu", 2), Conv(48, 48, "silu"))
        self.down_8 = nn.Sequential(Conv(48, 80, "silu", 2), Conv(80, 80, "silu"))
        self.up_16, self.up_32 = Conv(80 + 48, 48, "silu"), Conv(48 + 24, 32, "silu")
        self.head = _pixels(32)

    def forward(self, images: Tensor) -> Tensor:
        at_32 = self.down_32(images)
        at_16 = self.down_16(at_32)
        x = self.up_16(torch.cat([_twice(self.down_8(at_16)), at_16], 1))
        return self.head(self.up_32(torch.cat([_twice(x), at_32], 1))).float()


class Dilated(nn.Module):
    """Stays at 16×16, and looks far by holes in its kernels (Yu & Koltun 2016); fine edges are added at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.PixelUnshuffle(2), Conv(12, 32, "relu"))
        self.coarse = nn.Sequential(
            nn.MaxPool2d(2), Conv(32, 64, "relu"), *(Residual(64, dilation) for dilation in (1, 2, 4, 1))
        )
        self.narrow, self.mix = nn.Conv2d(64, 32, 1), Conv(32, 32, "relu")
        self.head = _pixels(32)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.fine(images)
        return self.head(self.mix(fine + _twice(self.narrow(self.coarse(fine))))).float()


def _twice(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear")
