"""MobileFaceNet: where are the corners of eyes, nose and mouth?"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from dsg.types import Image
from tasks.features.preparation import UNIT_RANGE, Preparation, Resize
from tasks.networks.published import Published

POINTS = 68


class MobileFaceNet(Published):
    """68 landmarks of a face (Chen et al. 2018, 1804.07573, as FreeDoM's code uses it): faces in [−1, 1] → (B,136).

    The numbers are x and y of each point in units of the picture's width and height, from its upper left corner. The
    face has to fill the picture: `tasks.Landmarks` crops it by a box. The published file keeps its weights under
    `state_dict`.

    Args:
        checkpoint: its state dict.
        prepare: in place of (x+1)/2 and bicubic 112².

    Raises:
        UserError: if the file cannot be read, or has weights of another network.
    """

    def __init__(self, checkpoint: str, prepare: Sequence[Preparation] | None = None) -> None:
        super().__init__(LandmarkNet(), checkpoint, (UNIT_RANGE, Resize(112, "bicubic")), prepare)

    def to_pixels(self, features: Tensor, height: int, width: int) -> Tensor:
        """(B,136) → (B,68,2): x and y in pixels of a picture of that size."""
        return features.reshape(len(features), -1, 2) * features.new_tensor([width, height])

    def from_pixels(self, points: Tensor, height: int, width: int) -> Tensor:
        """The other way: (B,68,2) → (B,136)."""
        return (points / points.new_tensor([width, height])).flatten(1)


class LandmarkNet(nn.Module):
    """The bare network, faces (B,3,112,112) in [0, 1] → (B,136)."""

    def __init__(self, points: int = POINTS) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, 64, 3, 2)
        self.conv2_dw = ConvNorm(64, 64, 3, groups=64)
        self.conv_23 = Bottleneck(64, 64, 128, 2)
        self.conv_3 = Stage(64, 128, 4)
        self.conv_34 = Bottleneck(64, 128, 256, 2)
        self.conv_4 = Stage(128, 256, 6)
        self.conv_45 = Bottleneck(128, 128, 512, 2)
        self.conv_5 = Stage(128, 256, 2)
        self.conv_6_sep = ConvNorm(128, 512, 1)
        self.output_layer = Output(512, 2 * points)

    def forward(self, faces: Image) -> Tensor:
        x = self.conv2_dw(self.conv1(faces))
        x = self.conv_3(self.conv_23(x))
        x = self.conv_4(self.conv_34(x))
        x = self.conv_5(self.conv_45(x))
        return self.output_layer(self.conv_6_sep(x))


class ConvNorm(nn.Module):
    """Convolution, batch norm, and PReLU where it is no `linear` one."""

    def __init__(
        self, before: int, channels: int, size: int, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, channels, size, stride, size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.prelu = nn.Identity() if linear else nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """An inverted one: to more channels, a convolution of each, back to fewer (Sandler et al. 2018)."""

    def __init__(self, before: int, channels: int, hidden: int, stride: int = 1, residual: bool = False) -> None:
        super().__init__()
        self.conv = ConvNorm(before, hidden, 1)
        self.conv_dw = ConvNorm(hidden, hidden, 3, stride, groups=hidden)
        self.project = ConvNorm(hidden, channels, 1, linear=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        found = self.project(self.conv_dw(self.conv(x)))
        return x + found if self.residual else found


class Stage(nn.Module):
    """Residual bottlenecks of one size."""

    def __init__(self, channels: int, hidden: int, count: int) -> None:
        super().__init__()
        self.model = nn.Sequential(*(Bottleneck(channels, channels, hidden, residual=True) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Output(nn.Module):
    """One convolution over the 7² places of each channel, and a linear map, (B,C,7,7) → (B,out)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv_6_dw = ConvNorm(channels, channels, 7, groups=channels, linear=True)
        self.conv_6_dw.conv.padding = (0, 0)
        self.linear = nn.Linear(channels, out, bias=False)
        self.bn = nn.BatchNorm1d(out)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.linear(self.conv_6_dw(x).flatten(1)))
