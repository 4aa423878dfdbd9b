"""Kernels of motion blur: the path of a shaking camera."""

from __future__ import annotations

import numpy as np

POINTS_PER_PIXEL = 8


def draw_path(kernel_size: int, intensity: float, generator: np.random.Generator) -> np.ndarray:
    """Points along the path, (N,2) in pixels (vertical, horizontal), with their centroid at 0.

    The camera moves at constant speed and its heading is a Brownian motion, so that it turns but never jumps:

        p'(s) = ℓ (sin θ(s), cos θ(s)),   θ(s) = θ₀ + 2π·intensity·W(s),   s in [0, 1]

    with θ₀ ~ U(0, 2π) and the length ℓ ~ U(½, 1)·(kernel_size − 1). No point of a path of length ℓ is farther than
    ℓ/2 from its centroid, so the path always fits into the kernel.
    """
    count = POINTS_PER_PIXEL * kernel_size
    length = generator.uniform(0.5, 1) * (kernel_size - 1)
    start = generator.uniform(0, 2 * np.pi)
    heading = start + 2 * np.pi * intensity * np.cumsum(generator.standard_normal(count)) / np.sqrt(count)
    points = np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0) * length / count
    return points - points.mean(axis=0)


def rasterise(points: np.ndarray, kernel_size: int) -> np.ndarray:
    """The share of the time spent at each pixel, (kernel_size, kernel_size), float64, sum 1.

    A point is shared by its four neighbours with bilinear weights, which keeps the centroid where it is.

    Args:
        points: (N,2), at most (kernel_size − 1)/2 from 0, which is the centre of the kernel.
        kernel_size: odd.
    """
    places = np.clip(points + (kernel_size - 1) / 2, 0, kernel_size - 1)
    corner = np.minimum(places.astype(int), kernel_size - 2)
    upper = places - corner
    kernel = np.zeros((kernel_size, kernel_size))
    for row in (0, 1):
        for column in (0, 1):
            weights = np.abs(1 - row - upper[:, 0]) * np.abs(1 - column - upper[:, 1])
            np.add.at(kernel, (corner[:, 0] + row, corner[:, 1] + column), weights)
    return kernel / len(points)
