"""What a task's measurements look like: what data is told that brings measurements of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """Measurements of one task, of images of one shape, without noise.

    Args:
        image: (C,H,W) of the images, or another shape of clean states.
        shape: of one measurement.
        low: about the least number in one.
        high: about the largest.
        noise_sigma: σ_y that the task is told, on images in [−1, 1]; None where its noise is not Gaussian.
    """

    image: tuple[int, ...]
    shape: tuple[int, ...]
    low: float
    high: float
    noise_sigma: float | None = None
