"""ArcFace's IR-SE50: whose face is it?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from dsg.types import Image
from tasks.features.preparation import Crop, Pool, Preparation
from tasks.networks.published import Published

FACE = (Pool(256, unless=256), Crop(35, 223, 32, 220), Pool(112))
"""DSG's and FreeDoM's window: rows 35 to 222 and columns 32 to 219 of 256, pooled to 112²."""
STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))


class ArcFace(Published):
    """Face identity (Deng et al. 2019, 1801.07698): images in [−1, 1] → vectors of length 1, (B,512).

    The window of faces is that of DSG's code for pictures of 256², aligned as those of CelebA-HQ and FFHQ; pictures of
    another height are pooled to 256² first. `model_ir_se50.pth` has the published weights.

    Args:
        checkpoint: its state dict.
        prepare: in place of that window; has to end at 112².

    Raises:
        UserError: if the file cannot be read, or has weights of another network.
    """

    def __init__(self, checkpoint: str, prepare: Sequence[Preparation] | None = None) -> None:
        super().__init__(IRSE(), checkpoint, FACE, prepare)


class IRSE(nn.Module):
    """The bare network, faces (B,3,16n,16n) in [−1, 1] → vectors of length 1, (B,width).

    Args:
        stages: channels and number of units of each; the first unit of a stage halves the picture.
        size: 16n, side of the faces in pixels.
        width: of the embedding.
    """

    def __init__(self, stages: Sequence[tuple[int, int]] = STAGES, size: int = 112, width: int = 512) -> None:
        super().__init__()
        first, last = stages[0][0], stages[-1][0]
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.PReLU(first)
        )
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(last * (size // 2 ** len(stages)) ** 2, width),
            nn.BatchNorm1d(width),
        )
        before = [first, *(channels for channels, _ in stages[:-1])]
        units = [
            [Unit(into, channels, stride=2), *(Unit(channels, channels) for _ in range(count - 1))]
            for into, (channels, count) in zip(before, stages, strict=True)
        ]
        self.body = nn.Sequential(*chain.from_iterable(units))

    def forward(self, faces: Image) -> Tensor:
        embedding = self.output_layer(self.body(self.input_layer(faces)))
        return embedding / embedding.norm(dim=1, keepdim=True)


class Unit(nn.Module):
    """Two convolutions and a squeeze and excitation, beside a shortcut, (B,C,H,W) → (B,c,⌈H/s⌉,⌈W/s⌉)."""

    def __init__(self, before: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        if before == channels:
            self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)  # every so manyth pixel
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.Conv2d(before, channels, 3, 1, 1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            SqueezeExcite(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class SqueezeExcite(nn.Module):
    """Every channel times a number in (0, 1) that the means of all say (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, max(channels // reduction, 1), 1, bias=False)
        self.fc2 = nn.Conv2d(max(channels // reduction, 1), channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(functional.relu(self.fc1(means))))
