"""Phase retrieval: of the Fourier transform, only the magnitudes are observed."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.types import Image
from tasks.base import InverseProblem, Measurement
from tasks.noise import MeasurementNoise
from tasks.operators import Operator
from tasks.shape import height_and_width

DECADES = 4
"""How many powers of ten a picture of magnitudes shows."""


class PhaseRetrieval(InverseProblem):
    """y = |F(pad((x + 1)/2))| + noise, channel by channel (Chung et al. 2023, 2209.14687, eq. 24).

    The image, mapped to [0, 1], gets ⌊oversampling/8 · H⌋ rows of zeros above and as many below, columns likewise, so
    that an even side H becomes H (1 + oversampling/4) where that is whole; F is the orthonormal 2-D Fourier transform.
    y is (B,C,H',W'), its zero frequency first.

    The magnitudes do not tell an image from one that is shifted inside the zeros or turned by 180 degrees, nor the
    orientations of the channels from each other. A sample may end at any of these, or in between, so that one sample
    an image says little: papers take the best of several (DPS and DAPS of 4). Set data.samples_per_image: 4 and take,
    for each image, the row of per_image.csv of the least `loss`, which needs no truth, or of the highest `psnr`.

    Args:
        oversampling: at least 0; 2 as published: half as many pixels again along each side.
        noise: what is added to the magnitudes; Gaussian with σ_y = 0.05 by default, where the image is on [0, 1].

    Raises:
        UserError: for an oversampling outside its range.
    """

    def __init__(self, oversampling: float = 2.0, noise: MeasurementNoise | None = None) -> None:
        super().__init__(noise)
        if not 0 <= oversampling < math.inf:
            raise UserError(f"PhaseRetrieval: oversampling must be at least 0 and finite, got {oversampling}")
        self.oversampling = oversampling

    def check(self, shape: tuple[int, ...]) -> None:
        height_and_width(shape, "PhaseRetrieval")

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> FourierMagnitude:
        rows, columns = (int(self.oversampling / 8 * size) for size in height_and_width(shape, "PhaseRetrieval"))
        return FourierMagnitude(rows, columns)

    def picture(self, measurement: Measurement) -> Image:
        """log y with the zero frequency in the middle: white (1) is the largest magnitude m of a white image, and black
        (−1) 10⁻⁴ m or less, the same scale for every image."""
        assert isinstance(measurement.operator, FourierMagnitude)
        height, width = measurement.y.shape[-2:]
        rows, columns = measurement.operator.rows, measurement.operator.columns
        white = (height - 2 * rows) * (width - 2 * columns) / math.sqrt(height * width)
        decades = torch.log10((measurement.y / white).clamp(10.0**-DECADES, 1.0))
        return torch.fft.fftshift(1 + 2 * decades / DECADES, dim=(-2, -1)).expand(-1, 3, -1, -1)


class FourierMagnitude(Operator):
    """A(x) = |F(pad((x + 1)/2))|. Where a magnitude is 0, its gradient is taken as 0.

    Args:
        rows: zeros above and below, each.
        columns: zeros left and right, each.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns

    def forward(self, x: Image) -> Tensor:
        padded = pad((x + 1) / 2, (self.columns, self.columns, self.rows, self.rows))
        return torch.fft.fft2(padded, norm="ortho").abs()
