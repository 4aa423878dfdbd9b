"""Noise and nothing else."""

from __future__ import annotations

from dsg.diffusion.noise import NoiseStreams
from tasks.base import InverseProblem
from tasks.noise import MeasurementNoise
from tasks.operators.mask import Identity


class Denoising(InverseProblem):
    """y = x + noise, for states of any shape.

    Args:
        noise: what is added to the image; Gaussian with σ_y = 0.05 on [−1, 1] by default.
    """

    def __init__(self, noise: MeasurementNoise | None = None) -> None:
        super().__init__(noise)

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Identity:
        return Identity()
