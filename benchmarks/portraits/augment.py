"""What a clean estimate looks like before it is clean: shifted, mirrored, softened and noisy portraits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from dsg.types import Image

SHIFT = 3  # pixels


def augment(images: Image, generator: torch.Generator, softest: int, noisiest: float, mirror: bool = True) -> Image:
    """Images (B,3,64,64) in [−1, 1] as a training should see them; a third of them is only moved.

    Args:
        generator: draws everything, on the CPU.
        softest: the smallest side in pixels that a picture is shrunk to before it is blown up again.
        noisiest: the largest standard deviation of the noise.
        mirror: change left and right in half of them; not where an answer tells the sides apart.
    """
    return soften(_move(images, generator, mirror), generator, softest, noisiest)


def soften(images: Image, generator: torch.Generator, softest: int, noisiest: float) -> Image:
    """As `augment`, each picture in its place: for answers that say where something is. A third stays as it is."""
    side = int(torch.randint(softest, images.shape[-1] + 1, (), generator=generator))
    soft = interpolate(images, (side, side), mode="bilinear", antialias=True)
    soft = interpolate(soft, images.shape[-2:], mode="bilinear")
    noise = torch.randn(images.shape, generator=generator) * noisiest * _share(len(images), generator)
    third = torch.randint(3, (len(images), 1, 1, 1), generator=generator)
    # one third softened, one third softened and noisy
    return torch.where(third == 0, images, soft + noise * (third == 2))


def _move(images: Image, generator: torch.Generator, mirror: bool) -> Image:
    """A shift of up to 3 pixels to any side, and left and right changed with probability ½ where that is wanted."""
    count, _, height, width = images.shape
    padded = pad(images, (SHIFT,) * 4, mode="replicate")
    down, right = torch.randint(2 * SHIFT + 1, (2, count), generator=generator)
    rows, columns = down[:, None] + torch.arange(height), right[:, None] + torch.arange(width)
    mirrored = torch.randint(2, (count, 1), generator=generator) == 1
    columns = torch.where(mirrored & mirror, columns.flip(1), columns)
    image, channel = torch.arange(count)[:, None, None, None], torch.arange(3)[None, :, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _share(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, 1, 1, 1, generator=generator)
