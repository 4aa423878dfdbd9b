"""BiSeNet for faces: which part of a face is at every pixel?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dsg.types import Image
from tasks.features.preparation import IMAGENET, Preparation, Resize
from tasks.networks.published import Published
from tasks.networks.resnet18 import ResNet18

CLASSES = 19
FREEDOM = (Resize(512, "bicubic"), IMAGENET)
"""FreeDoM's preparation; DiffRGD's is bilinear."""


class BiSeNet(Published):
    """Parsing of faces (Yu et al. 2018, 1808.00897): images in [−1, 1] → logits (B,19,512,512), of the first head.

    `79999_iter.pth` has the published weights: skin, brows, eyes, glasses, ears, nose, mouth, neck, cloth, hair and hat
    of CelebAMask-HQ, and background.

    Args:
        checkpoint: its state dict.
        classes: how many it was trained with.
        prepare: in place of FreeDoM's bicubic 512² and ImageNet's mean and deviation, to multiples of 32;
            DiffRGD resizes bilinearly.

    Raises:
        UserError: if the file cannot be read, or has weights of another network.
    """

    def __init__(self, checkpoint: str, classes: int = CLASSES, prepare: Sequence[Preparation] | None = None) -> None:
        super().__init__(FaceParsing(classes), checkpoint, FREEDOM, prepare)


class FaceParsing(nn.Module):
    """The bare network, normalised images (B,3,32n,32m) → logits (B,classes,32n,32m)."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = Fusion(256)
        self.conv_out = Head(256, 256, classes)
        self.conv_out16 = Head(128, 64, classes)
        self.conv_out32 = Head(128, 64, classes)

    def forward(self, images: Image) -> Tensor:
        detail, context, _ = self.cp(images)
        return self._enlarged(self.conv_out(self.ffm(detail, context)), images)

    def all_heads(self, images: Image) -> tuple[Tensor, Tensor, Tensor]:
        """The logits, and those of the two heads that only a training asks."""
        detail, context8, context16 = self.cp(images)
        main = self.conv_out(self.ffm(detail, context8))
        answers = (main, self.conv_out16(context8), self.conv_out32(context16))
        return tuple(self._enlarged(answer, images) for answer in answers)  # type: ignore[return-value]

    def _enlarged(self, logits: Tensor, images: Image) -> Tensor:
        return functional.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=True)


class ConvNormReLU(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, before: int, channels: int, size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, channels, size, 1, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Refinement(nn.Module):
    """Features times what their own means attend to, (B,C,H,W) → (B,c,H,W)."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.conv = ConvNormReLU(before, channels)
        self.conv_atten = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(features.mean((2, 3), keepdim=True))))


class ContextPath(nn.Module):
    """Images → features at an eighth of the size, and their context there and at a sixteenth, of 128 channels each."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = Refinement(256, 128)
        self.arm32 = Refinement(512, 128)
        self.conv_head32 = ConvNormReLU(128, 128)
        self.conv_head16 = ConvNormReLU(128, 128)
        self.conv_avg = ConvNormReLU(512, 128, 1)

    def forward(self, images: Image) -> tuple[Tensor, Tensor, Tensor]:
        eighth, sixteenth, last = self.resnet(images)
        everywhere = self.conv_avg(last.mean((2, 3), keepdim=True))
        context16 = self.conv_head32(_as_large(self.arm32(last) + everywhere, sixteenth))
        context8 = self.conv_head16(_as_large(self.arm16(sixteenth) + context16, eighth))
        return eighth, context8, context16


class Fusion(nn.Module):
    """Detail and context in one, F + F·attention(F), (B,C,H,W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convblk = ConvNormReLU(channels, channels, 1)
        self.conv1 = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(channels // 4, channels, 1, bias=False)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        fused = self.convblk(torch.cat([detail, context], dim=1))
        means = fused.mean((2, 3), keepdim=True)
        return fused + fused * torch.sigmoid(self.conv2(functional.relu(self.conv1(means))))


class Head(nn.Module):
    """Logits of a class at every place."""

    def __init__(self, before: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvNormReLU(before, hidden)
        self.conv_out = nn.Conv2d(hidden, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))


def _as_large(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, like.shape[-2:], mode="nearest")
