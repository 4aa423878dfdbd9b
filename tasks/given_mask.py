"""Inpainting through masks that the data brings."""

from __future__ import annotations

import torch

from dsg.data.examples import IMAGE, MASK, Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from tasks.inpainting import Inpainting
from tasks.noise import MeasurementNoise
from tasks.operators.mask import Mask
from tasks.shape import height_and_width


class GivenMaskInpainting(Inpainting):
    """y = m ⊙ (x + noise), with the data's column `mask` as m: (B,1,H,W), 1 where a pixel is observed, 0 elsewhere.

    The data may bring y too (dsg.data.measured.MeasuredFolder); of that, what lies on dropped pixels is not looked at.

    Args:
        noise: what is added to the image; Gaussian with σ_y = 0.05 on [−1, 1] by default.

    Raises:
        UserError: for masks of another size, or that hold anything but 0 and 1.
    """

    needs = frozenset({IMAGE, MASK})

    def __init__(self, noise: MeasurementNoise | None = None) -> None:
        super().__init__(noise)

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Mask:
        """A of an image that was observed whole: what A can do; the masks themselves are in the examples."""
        size = height_and_width(shape, type(self).__name__)
        return Mask(torch.ones(len(streams), 1, *size, device=streams.device))

    def operator_of(self, examples: Examples, streams: NoiseStreams, shape: tuple[int, ...]) -> Mask:
        mask, size = examples.tensor(MASK), height_and_width(shape, type(self).__name__)
        if tuple(mask.shape[1:]) != (1, *size):
            raise UserError(
                f"data: masks of images {tuple(shape)} are {(1, *size)}, got {tuple(mask.shape[1:])}; give the column "
                "mask that shape"
            )
        if not ((mask == 0) | (mask == 1)).all():
            raise UserError("data: a mask is 1 where a pixel is observed and 0 where it is dropped, got other numbers")
        return Mask(mask.float().to(streams.device))
