"""Deblurring: the image is seen through a blur."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.errors import UserError
from tasks.base import InverseProblem
from tasks.noise import MeasurementNoise
from tasks.operators.borders import mirrored_matrix
from tasks.operators.camera_shake import draw_path, rasterise
from tasks.operators.convolution import CircularConvolution, ReflectedConvolution
from tasks.operators.separable import Separable
from tasks.shape import height_and_width


class GaussianDeblurring(InverseProblem):
    """y = k ∗ x + noise with a Gaussian kernel; x is continued by reflection (the edge pixel not repeated).

    Args:
        kernel_size: side of the kernel in pixels, odd; it may exceed the image, which is then mirrored repeatedly.
        sigma: standard deviation of the blur in pixels, above 0; DPS and DSG use 61 and 3.0 for 256x256.
        noise: what is added to the blurred image; Gaussian with σ_y = 0.05 on [−1, 1] by default.

    Raises:
        UserError: for an even kernel size or a sigma that is not above 0.
    """

    def __init__(self, kernel_size: int = 61, sigma: float = 3.0, noise: MeasurementNoise | None = None) -> None:
        super().__init__(noise)
        _check_kernel_size(kernel_size, 1, "GaussianDeblurring")
        if not 0 < sigma < float("inf"):
            raise UserError(f"GaussianDeblurring: sigma (pixels) must be above 0, got {sigma}")
        self.kernel_size, self.sigma = kernel_size, sigma
        self._operators: dict[tuple, Separable] = {}

    def check(self, shape: tuple[int, ...]) -> None:
        height_and_width(shape, "GaussianDeblurring")

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Separable:
        key = (*shape[-2:], streams.device)
        if key not in self._operators:
            self.check(shape)
            weights = gaussian_weights(self.kernel_size, self.sigma)
            matrices = (blur_matrix(weights, size) for size in shape[-2:])
            self._operators[key] = Separable(*matrices, device=streams.device)
        return self._operators[key]


class MotionDeblurring(InverseProblem):
    """y = k ∗ x + noise with each image's own path of a shaking camera as kernel (see camera_shake.draw_path).

    Args:
        kernel_size: side of the kernel in pixels, odd, at least 3; paths are half to once as long. 61 is usual for
            256x256; 15 blurs 64x64 as much.
        intensity: how much the path turns, at least 0: 0 is a straight line, 0.5 turns by π in the root mean square.
        padding: how x is continued: reflect (the edge pixel not repeated; the pseudo-inverse is found by iteration),
            or circular (the pseudo-inverse and the singular values are exact).
        noise: what is added to the blurred image; Gaussian with σ_y = 0.05 on [−1, 1] by default.

    Raises:
        UserError: for an even kernel size, a negative intensity or another padding.
    """

    def __init__(
        self,
        kernel_size: int = 61,
        intensity: float = 0.5,
        padding: Literal["reflect", "circular"] = "reflect",
        noise: MeasurementNoise | None = None,
    ) -> None:
        super().__init__(noise)
        _check_kernel_size(kernel_size, 3, "MotionDeblurring")
        if not 0 <= intensity < float("inf"):
            raise UserError(f"MotionDeblurring: intensity must be at least 0 (0 is a straight path), got {intensity}")
        if padding not in ("reflect", "circular"):
            raise UserError(f"MotionDeblurring: padding must be reflect or circular, got {padding}")
        self.kernel_size, self.intensity, self.padding = kernel_size, intensity, padding

    def check(self, shape: tuple[int, ...]) -> None:
        height_and_width(shape, "MotionDeblurring")

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> CircularConvolution | ReflectedConvolution:
        paths = [draw_path(self.kernel_size, self.intensity, g) for g in streams.generators(Purpose.OPERATOR)]
        kernels = torch.from_numpy(np.stack([rasterise(path, self.kernel_size) for path in paths]))[:, None]
        if self.padding == "circular":
            return CircularConvolution(kernels, height_and_width(shape, "MotionDeblurring"), streams.device)
        return ReflectedConvolution(kernels, shape, streams.device)


def gaussian_weights(kernel_size: int, sigma: float) -> Tensor:
    """exp(−k²/2σ²), |k| ≤ min(4σ, kernel_size/2), divided by their sum; (kernel_size,), float64.

    The outer product of two is the filter that scipy.ndimage.gaussian_filter makes of a centred delta.
    """
    k = torch.arange(kernel_size, dtype=torch.float64) - kernel_size // 2
    weights = torch.exp(-0.5 * (k / sigma) ** 2) * (k.abs() <= int(4 * sigma + 0.5))
    return weights / weights.sum()


def blur_matrix(weights: Tensor, size: int) -> Tensor:
    """K with K x = weights ∗ x for 1-D signals continued by reflection, (size, size), float64."""
    offsets = torch.arange(size)[:, None] + torch.arange(len(weights)) - len(weights) // 2
    return mirrored_matrix(offsets, weights, size, repeat_edge=False)


def _check_kernel_size(kernel_size: int, least: int, task: str) -> None:
    if kernel_size < least or kernel_size % 2 == 0:
        raise UserError(f"{task}: kernel_size must be odd and at least {least}, got {kernel_size}")
