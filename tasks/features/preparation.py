"""What happens to a picture before a network sees it: crops, sizes and ranges, each differentiable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dsg.errors import UserError
from dsg.types import Image


class Preparation(ABC):
    """(B,C,H,W) → (B,C,h,w): a strategy object without state."""

    @abstractmethod
    def __call__(self, images: Image) -> Image:
        """The prepared pictures, differentiable in `images`."""

    def check(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What (C,h,w) becomes of pictures of `shape` (C,H,W). Raises UserError if it cannot be done."""
        return tuple(self(torch.zeros(1, *shape)).shape[1:])


@dataclass(frozen=True)
class Crop(Preparation):
    """Rows top ≤ row < bottom and columns left ≤ column < right.

    Raises:
        UserError: if nothing is left; from `check`, if it goes beyond the picture.
    """

    top: int
    bottom: int
    left: int
    right: int

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom and 0 <= self.left < self.right):
            raise UserError(f"crop: need 0 ≤ top < bottom and 0 ≤ left < right, got {self._rows_and_columns}")

    def __call__(self, images: Image) -> Image:
        return images[..., self.top : self.bottom, self.left : self.right]

    def check(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        height, width = shape[-2:]
        if self.bottom > height or self.right > width:
            raise UserError(
                f"crop: {self._rows_and_columns} go beyond a picture of {height}x{width} (height x width); take a "
                "smaller crop, or resize first"
            )
        return (*shape[:-2], self.bottom - self.top, self.right - self.left)

    @property
    def _rows_and_columns(self) -> str:
        return f"rows {self.top}:{self.bottom} and columns {self.left}:{self.right}"


@dataclass(frozen=True)
class Pool(Preparation):
    """Adaptive average pooling to `size`²; a smaller picture has its pixels repeated.

    Args:
        size: at least 1.
        unless: leave pictures of this height alone, as the code of FreeDoM does with 256; null never does.
    """

    size: int
    unless: int | None = None

    def __post_init__(self) -> None:
        _check_size(self.size)

    def __call__(self, images: Image) -> Image:
        return images if images.shape[-2] == self.unless else functional.adaptive_avg_pool2d(images, self.size)


@dataclass(frozen=True)
class Resize(Preparation):
    """To `size`², by half-pixel centres (`align_corners` false); the aspect ratio is not kept.

    Args:
        size: at least 1.
        mode: `bilinear` or `bicubic` (a = −0.75).
        antialias: filter before a picture shrinks.
    """

    size: int
    mode: Literal["bilinear", "bicubic"] = "bilinear"
    antialias: bool = False

    def __post_init__(self) -> None:
        _check_size(self.size)
        if self.mode not in ("bilinear", "bicubic"):
            raise UserError(f"mode: must be bilinear or bicubic, got {self.mode!r}")

    def __call__(self, images: Image) -> Image:
        return functional.interpolate(
            images, size=(self.size, self.size), mode=self.mode, align_corners=False, antialias=self.antialias
        )


@dataclass(frozen=True)
class Normalise(Preparation):
    """((x+1)/2 − m)/s of images in [−1, 1], a channel each.

    Args:
        mean: m, of images in [0, 1].
        std: s > 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not all(s > 0 for s in self.std):
            raise UserError(f"mean, std: need as many of both, and std above 0, got {self.mean} and {self.std}")

    def __call__(self, images: Image) -> Image:
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return ((images + 1) / 2 - mean) / std

    def check(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if shape[0] != len(self.mean):
            raise UserError(f"mean, std: are of {len(self.mean)} channels, and the pictures have {shape[0]}")
        return shape


UNIT_RANGE = Normalise((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""(x+1)/2: colours in [0, 1]."""
IMAGENET = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = Normalise((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


class Prepared(nn.Module):
    """A network and what happens to pictures before it sees them: images in [−1, 1], (B,C,H,W) → features (B, ...).

    A network that is not just called with them has its own `answer`.

    Args:
        network: takes what is left after `steps`.
        steps: one after the other.
    """

    def __init__(self, network: nn.Module, steps: Sequence[Preparation] = ()) -> None:
        super().__init__()
        self.network = network
        self.steps = tuple(steps)

    def prepared(self, images: Image) -> Image:
        """What the network sees of them."""
        for step in self.steps:
            images = step(images)
        return images

    def answer(self, prepared: Image) -> Tensor:
        """What the network says of pictures that are prepared."""
        return self.network(prepared)

    def forward(self, images: Image) -> Tensor:
        return self.answer(self.prepared(images))

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise UserError if pictures of `shape` (C,H,W) cannot be prepared."""
        for step in self.steps:
            shape = step.check(shape)


def _check_size(size: int) -> None:
    if size < 1:
        raise UserError(f"size: must be at least 1, got {size}")
