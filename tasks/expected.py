"""What the measurements of a task look like, found by measuring a few images: for those that somebody else made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks.operators import Operator

IDS = ("one", "two", "three", "four")


@dataclass(frozen=True)
class Expected:
    """The measurements of one task of images of one shape, without noise.

    Args:
        shape: of one y.
        low: the least number in y of a white, a black and a random image.
        high: the largest.
    """

    shape: tuple[int, ...]
    low: float
    high: float


def expected(operator: Callable[[NoiseStreams], Operator], shape: tuple[int, ...], task: str) -> Expected:
    """How y = A x looks for images of `shape`.

    Args:
        operator: draws A for a batch.
        shape: (C,H,W) of the images.
        task: its name, for the error.

    Raises:
        UserError: if A is drawn for every image: what somebody else measured was not measured through that one.
    """
    random = 2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1
    low, high = float("inf"), -float("inf")
    for image in (torch.ones(shape), -torch.ones(shape), random):
        streams = NoiseStreams([SampleKey(0, name) for name in IDS])
        y = operator(streams).forward(image.expand(len(IDS), *shape))
        if not torch.allclose(y, y[:1].expand_as(y), atol=1e-4):
            raise UserError(
                f"data: {task} draws another operator for every image, which is not the one that the data's own "
                "measurements were made with; take a task that draws none, as tasks.GivenMaskInpainting with data.masks, "
                "or tasks.GivenKernelDeblurring with data.kernels"
            )
        low, high = min(low, y.min().item()), max(high, y.max().item())
    return Expected(tuple(y.shape[1:]), low, high)
