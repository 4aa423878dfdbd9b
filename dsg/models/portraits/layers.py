"""The layers that the portrait networks are made of: convolutions with their norm and activation."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Activation = Literal["silu", "relu"]


class Conv(nn.Sequential):
    """Convolution, batch norm (a fixed scale and shift once trained) and activation, (B,C,H,W) → (B,out,H/s,W/s)."""

    def __init__(
        self, before: int, after: int, activation: Activation, stride: int = 1, size: int = 3, dilation: int = 1
    ) -> None:
        padding = dilation * (size // 2)
        super().__init__(
            nn.Conv2d(before, after, size, stride, padding, dilation, bias=False),
            nn.BatchNorm2d(after),
            nn.SiLU() if activation == "silu" else nn.ReLU(),
        )


class Residual(nn.Module):
    """x + f(x), of one dilated convolution."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = Conv(width, width, "relu", dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def strided_body(middle: int = 96) -> nn.Sequential:
    """Images (B,3,64,64) → (B,64,4,4), smooth: strides alone make it smaller. `middle` channels at 8×8."""
    widths = ((3, 24, 2, 5), (24, 48, 2, 3), (48, 48, 1, 3), (48, middle, 2, 3), (middle, middle, 1, 3))
    return nn.Sequential(
        *(Conv(a, b, "silu", stride, size) for a, b, stride, size in widths), Conv(middle, 64, "silu", 2)
    )


def pooled_body(coarse: int = 48, wide: int = 64) -> nn.Sequential:
    """Images (B,3,64,64) → (B,wide,4,4): blocks of 4×4 pixels are channels, and maxima make it smaller."""
    return nn.Sequential(
        nn.PixelUnshuffle(4),
        Conv(48, coarse, "relu"),
        Residual(coarse),
        nn.MaxPool2d(2),
        Conv(coarse, wide, "relu"),
        Residual(wide),
        nn.MaxPool2d(2),
        Residual(wide),
    )
