"""A linear autoencoder: with it and a mixture of latents everything is known in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.models.latent.autoencoder import Autoencoder
from dsg.types import Image, State


class LinearAutoencoder(Autoencoder):
    """x = W z + m, z = W⁺ (x − m). Principal components are one whose W has orthonormal columns.

    With z a Gaussian mixture, y = A x + σ n is of z what A W z + σ n is plus A m: `GaussianMixture.posterior` of A W
    and y − A m is the exact posterior of the latents.

    Args:
        matrix: W, (d, k) of rank k, d numbers in an image and k in a latent.
        mean: m, (d,); null is 0.
        image_shape: of one image, d numbers; null is (d,).
        latent_shape: of one latent, k numbers; null is (k,).

    Raises:
        UserError: if W is no matrix of full column rank, or a shape does not hold its numbers.
    """

    def __init__(
        self,
        matrix: Tensor | Sequence[Sequence[float]],
        mean: Tensor | Sequence[float] | None = None,
        image_shape: tuple[int, ...] | None = None,
        latent_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        W = torch.as_tensor(matrix, dtype=torch.float64)
        if W.ndim != 2 or not W.isfinite().all() or torch.linalg.matrix_rank(W) < W.shape[1]:
            raise UserError("LinearAutoencoder: matrix must be (d, k) of rank k, with finite numbers")
        d, k = W.shape
        m = torch.zeros(d, dtype=torch.float64) if mean is None else torch.as_tensor(mean, dtype=torch.float64)
        self.image_shape, self.latent_shape = tuple(image_shape or (d,)), tuple(latent_shape or (k,))
        if m.shape != (d,) or math.prod(self.image_shape) != d or math.prod(self.latent_shape) != k:
            raise UserError(
                f"LinearAutoencoder: the matrix is {d}x{k}, and mean {tuple(m.shape)}, image_shape {self.image_shape} "
                f"or latent_shape {self.latent_shape} is not"
            )
        # float64, and no buffers: no cast may touch them
        self.matrix, self.inverse, self.mean = W, torch.linalg.pinv(W), m
        self.freeze()

    def encode(self, image: Image) -> State:
        self._follow(image)
        state = (image.double().flatten(1) - self.mean) @ self.inverse.T
        return state.reshape(len(image), *self.latent_shape).to(image)

    def decode(self, state: State) -> Image:
        self._follow(state)
        image = state.double().flatten(1) @ self.matrix.T + self.mean
        return image.reshape(len(state), *self.image_shape).to(state)

    def _follow(self, like: Tensor) -> None:
        if self.matrix.device != like.device:
            self.matrix, self.inverse, self.mean = (x.to(like.device) for x in (self.matrix, self.inverse, self.mean))
