"""Anime2Sketch's generator: how would somebody draw it?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dsg.types import Image
from tasks.features.preparation import Preparation
from tasks.networks.published import Published


class Anime2Sketch(Published):
    """Line drawings (Xiang et al. 2021, 2104.05703): images in [−1, 1] → (B,1,H,W) in (−1, 1), 1 is white paper.

    FreeDoM's loss of sketches asks it. `netG.pth` has the published weights.

    Args:
        checkpoint: its state dict; `module.` before the names is seen through.
        prepare: before the network sees the images, whose sides have to be multiples of 256 then; nothing by default.

    Raises:
        UserError: if the file cannot be read, or has weights of another network.
    """

    def __init__(self, checkpoint: str, prepare: Sequence[Preparation] | None = None) -> None:
        super().__init__(SketchUNet(), checkpoint, (), prepare)


class SketchUNet(nn.Module):
    """The bare network, a U-Net of so many levels: images (B,3,2ᴸn,2ᴸm) → (B,1,2ᴸn,2ᴸm) in (−1, 1).

    Args:
        levels: L ≥ 5.
        width: channels of the outermost level; inner ones have up to eight times as many.
    """

    def __init__(self, levels: int = 8, width: int = 64) -> None:
        super().__init__()
        widest = 8 * width
        inner: nn.Module | None = None
        for _ in range(levels - 4):
            inner = Level(widest, widest, inner)
        for channels in (4 * width, 2 * width, width):
            inner = Level(channels, 2 * channels, inner)
        assert inner is not None
        self.model = nn.Module()
        self.model.model = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1), inner, nn.ReLU(), nn.ConvTranspose2d(2 * width, 1, 4, 2, 1), nn.Tanh()
        )

    def forward(self, images: Image) -> Tensor:
        assert isinstance(self.model.model, nn.Sequential)
        return self.model.model(images)


class Level(nn.Module):
    """What is inside half the size, beside what came in, (B,C,H,W) → (B,2C,H,W).

    Args:
        channels: C.
        inside: channels below.
        inner: the level below, which doubles them; null is the lowest, which normalises nothing on the way down: a
            picture of one pixel has no variance.
    """

    def __init__(self, channels: int, inside: int, inner: nn.Module | None) -> None:
        super().__init__()
        down: list[nn.Module] = [nn.LeakyReLU(0.2), nn.Conv2d(channels, inside, 4, 2, 1)]
        if inner is not None:
            down += [nn.InstanceNorm2d(inside), inner]
        up = nn.ConvTranspose2d(inside if inner is None else 2 * inside, channels, 4, 2, 1)
        self.model = nn.Sequential(*down, nn.ReLU(), up, nn.InstanceNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], dim=1)
