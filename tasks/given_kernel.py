"""Deblurring of blurs that the data brings."""

from __future__ import annotations

from typing import Literal

import torch

from dsg.data.examples import IMAGE, KERNEL, Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from tasks.base import InverseProblem
from tasks.noise import MeasurementNoise
from tasks.operators.convolution import CircularConvolution, ReflectedConvolution
from tasks.shape import height_and_width


class GivenKernelDeblurring(InverseProblem):
    """y = k ∗ x + noise, with the data's column `kernel` as k: (B,1,K,K), K odd, its centre the origin.

    It is a convolution, as scipy.ndimage.convolve computes it, and no correlation, as torch's conv2d is: turn a kernel
    of the latter by 180 degrees. The data may bring y too (dsg.data.measured.MeasuredFolder).

    Args:
        padding: how x is continued: reflect (the edge pixel not repeated; the pseudo-inverse is found by iteration),
            or circular (the pseudo-inverse and the singular values are exact).
        noise: what is added to the blurred image; Gaussian with σ_y = 0.05 on [−1, 1] by default.

    Raises:
        UserError: for another padding, and for kernels that are not square with an odd side.
    """

    needs = frozenset({IMAGE, KERNEL})

    def __init__(
        self, padding: Literal["reflect", "circular"] = "reflect", noise: MeasurementNoise | None = None
    ) -> None:
        super().__init__(noise)
        if padding not in ("reflect", "circular"):
            raise UserError(f"GivenKernelDeblurring: padding must be reflect or circular, got {padding}")
        self.padding = padding

    def check(self, shape: tuple[int, ...]) -> None:
        height_and_width(shape, "GivenKernelDeblurring")

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> CircularConvolution | ReflectedConvolution:
        """A of a blur of one pixel: what A can do; the kernels themselves are in the examples."""
        return self._convolution(torch.ones(len(streams), 1, 1, 1), shape, streams.device)

    def operator_of(
        self, examples: Examples, streams: NoiseStreams, shape: tuple[int, ...]
    ) -> CircularConvolution | ReflectedConvolution:
        kernel = examples.tensor(KERNEL)
        if kernel.ndim != 4 or kernel.shape[1] != 1 or kernel.shape[2] != kernel.shape[3] or kernel.shape[2] % 2 == 0:
            raise UserError(
                f"data: the column kernel must be (1,K,K) with K odd, got {tuple(kernel.shape[1:])}; pad it with zeros "
                "(dsg.data.measured.kernels.centred does)"
            )
        return self._convolution(kernel, shape, streams.device)

    def _convolution(
        self, kernel: torch.Tensor, shape: tuple[int, ...], device: torch.device
    ) -> CircularConvolution | ReflectedConvolution:
        kernel = kernel.double().cpu()
        if self.padding == "circular":
            return CircularConvolution(kernel, height_and_width(shape, "GivenKernelDeblurring"), device)
        return ReflectedConvolution(kernel, shape, device)
