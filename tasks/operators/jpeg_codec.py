"""What JPEG does to a batch of pictures, without the file: baseline compression and decompression in torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from dsg.types import Image
from tasks.operators.constant import Constant

BLOCK = 8
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
)
"""The quantisation tables of ITU-T T.81, annex K.1, rows of growing vertical frequency."""
TO_YCC = ((0.299, 0.587, 0.114), (-0.299 / 1.772, -0.587 / 1.772, 0.5), (0.5, -0.587 / 1.402, -0.114 / 1.402))
"""RGB → YCbCr of JFIF (ITU-T T.871), without the offset of 128."""
HALF = 0.501


class JPEGCodec:
    """Pictures, (B,3,H,W) in [−1, 1], as they come back from a JPEG file; no gradient.

    Colours to YCbCr (BT.601), 8x8 blocks, orthonormal DCT, each coefficient rounded to a multiple of its table's entry,
    and back, clipped to [−1, 1]. Pixels stay real numbers: a file rounds them to whole levels of 255, before and after.
    Sides that are no multiple of a block are continued by their last pixel. Half-resolution colours are means of 2x2
    pixels, and come back by linear interpolation.

    Args:
        quality: 1 to 100; scales the tables as libjpeg does.
        subsample_chroma: colours at half the resolution (4:2:0).
        device: where the pictures will be.
    """

    def __init__(self, quality: int, subsample_chroma: bool = False, device: torch.device | str = "cpu") -> None:
        self.subsample_chroma = subsample_chroma
        self._tables = [Constant(scaled_table(table, quality), device) for table in (LUMINANCE, CHROMINANCE)]
        self._dct = Constant(cosines(BLOCK), device)
        to_ycc = torch.tensor(TO_YCC, dtype=torch.float64)
        self._to_ycc, self._to_rgb = Constant(to_ycc, device), Constant(torch.linalg.inv(to_ycc), device)

    @torch.no_grad()
    def __call__(self, x: Image) -> Image:
        levels = 127.5 * (x.clamp(-1, 1) + 1)
        luma, chroma = torch.einsum("dc,bchw->bdhw", self._to_ycc.like(x), levels).split([1, 2], dim=1)
        luma = self._quantise(luma - 128, self._tables[0]) + 128
        if self.subsample_chroma:
            small = self._quantise(avg_pool2d(_pad(chroma, 2), 2), self._tables[1])
            chroma = interpolate(small, scale_factor=2, mode="bilinear")[..., : x.shape[-2], : x.shape[-1]]
        else:
            chroma = self._quantise(chroma, self._tables[1])
        levels = torch.einsum("dc,bchw->bdhw", self._to_rgb.like(x), torch.cat([luma, chroma], dim=1))
        return (levels / 127.5 - 1).clamp(-1, 1)

    def _quantise(self, planes: Tensor, table: Constant) -> Tensor:
        """Planes, (B,c,h,w), with the DCT coefficients of their blocks rounded to multiples of the table."""
        height, width = planes.shape[-2:]
        matrix, step = self._dct.like(planes), table.like(planes)
        padded = _pad(planes, BLOCK)
        blocks = padded.unflatten(-1, (-1, BLOCK)).unflatten(-3, (-1, BLOCK)).transpose(-3, -2)
        # slightly more than ½, so that a tie falls the same way whatever the last digit of the sum
        rounded = step * torch.floor(matrix @ blocks @ matrix.mT / step + HALF)
        restored = (matrix.mT @ rounded @ matrix).transpose(-3, -2)
        return restored.reshape(padded.shape)[..., :height, :width]


def cosines(size: int) -> Tensor:
    """The orthonormal DCT-II of `size` numbers, (size,size), float64: D[k,n] = c_k cos(π k (2n + 1) / (2·size)), with
    c_k = √(2/size), and √(1/size) for k = 0."""
    numbers = torch.arange(size, dtype=torch.float64)
    waves = torch.cos(math.pi * numbers[:, None] * (2 * numbers + 1) / (2 * size)) * math.sqrt(2 / size)
    waves[0] /= math.sqrt(2)
    return waves


def scaled_table(table: tuple[tuple[int, ...], ...], quality: int) -> Tensor:
    """The table at a quality of 1 to 100, (8,8), float64: entries in per cent of 5000/quality, or of 200 − 2·quality
    from 50 on, at least 1 and at most 255 (libjpeg's jpeg_set_quality)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    entries = torch.tensor(table)
    return ((entries * percent + 50) // 100).clamp(1, 255).double()


def _pad(planes: Tensor, multiple: int) -> Tensor:
    """Sides continued by their last pixel to a multiple."""
    height, width = planes.shape[-2:]
    return pad(planes, (0, -width % multiple, 0, -height % multiple), mode="replicate")
