"""A few random linear measurements of a vector: the task of the benchmark whose posterior is known."""

from __future__ import annotations

import math

import numpy as np
import torch

from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.errors import UserError
from tasks.base import InverseProblem
from tasks.noise import GaussianNoise
from tasks.operators.matrix import Matrix


class RandomProjection(InverseProblem):
    """y = A x/σ + n, n ~ N(0, I), with its own A and σ for each image (Cardoso et al. 2023, 2308.07983, section 5):

        A = U diag(s) Vᵀ,   s sorted U[0, 1],   σ = max(s)·u,   u ~ U[0, 1]

    with U and V uniformly distributed. The measurement is divided by its noise, which changes no posterior and makes
    the noise level of every problem 1: `noise_sigma` is one number, and losses are in units of the noise.

    Args:
        measurements: m ≥ 1, how many numbers are measured.

    Raises:
        UserError: for fewer than one; before the first sample, for states of fewer numbers than are measured.
    """

    def __init__(self, measurements: int = 2) -> None:
        if measurements < 1:
            raise UserError(f"measurements: must be at least 1, got {measurements}")
        super().__init__(GaussianNoise(1.0))
        self.measurements = measurements

    def check(self, shape: tuple[int, ...]) -> None:
        if self.measurements > math.prod(shape):
            raise UserError(
                f"RandomProjection: cannot take {self.measurements} measurements of a state of {math.prod(shape)} "
                "numbers; lower model.task.measurements"
            )

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Matrix:
        generators = streams.generators(Purpose.OPERATOR)
        ids = [key.image_id for key in streams.keys]
        # all samples of an image have the same generator, and so the same A
        drawn = {name: self._draw(g, math.prod(shape)) for name, g in dict(zip(ids, generators, strict=True)).items()}
        factors = (torch.from_numpy(np.stack([drawn[name][k] for name in ids])).float() for k in range(3))
        u, s, vt = (factor.to(streams.device) for factor in factors)
        return Matrix(u, s, vt, shape)

    def _draw(self, generator: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """U, s/σ and Vᵀ of one problem."""
        u, _, vt = np.linalg.svd(generator.standard_normal((self.measurements, n)), full_matrices=False)
        s = np.sort(generator.uniform(size=self.measurements))[::-1]
        sigma = s[0] * generator.uniform()
        return u, s / sigma, vt

    def example_operator(self) -> Matrix:
        return self.operator((self.measurements,), NoiseStreams([SampleKey(0, "example")]))
