"""What the measurements of a task look like, found by measuring a few images: for those that somebody else made."""

from __future__ import annotations

from collections.abc import Callable

import torch

from dsg.data.expected import Expected
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks.operators import Operator

IDS = ("one", "two", "three", "four")


def expected(operator: Callable[[NoiseStreams], Operator], shape: tuple[int, ...], task: str) -> Expected:
    """How y = A x looks for images of `shape`, by a white, a black and a random one.

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
                "measurements were made with; take a task that draws none, as tasks.GivenMaskInpainting with "
                "data.masks, or tasks.GivenKernelDeblurring with data.kernels"
            )
        low, high = min(low, y.min().item()), max(high, y.max().item())
    return Expected(shape, tuple(y.shape[1:]), low, high)
