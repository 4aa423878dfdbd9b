"""A mixture of latents behind a linear autoencoder: the world of latents in which the posterior is known."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.models.latent.autoencoder import Autoencoder
from dsg.models.latent.linear import LinearAutoencoder
from dsg.models.latent.model import LatentModel
from dsg.models.mixture import GaussianMixture
from dsg.types import Image


class LinearLatents(LatentModel):
    """Latents z of a Gaussian mixture, and pictures x = W z + m: y = A x + σ n is A W z + A m + σ n, so that
    p(z | y) is a mixture again.

    Args:
        score_model: a GaussianMixture.
        autoencoder: a LinearAutoencoder.

    Raises:
        UserError: for others, and if the two do not fit.
    """

    def __init__(self, score_model: GaussianMixture, autoencoder: Autoencoder) -> None:
        for made, wanted in ((score_model, GaussianMixture), (autoencoder, LinearAutoencoder)):
            if not isinstance(made, wanted):
                raise UserError(
                    f"LinearLatents knows the posterior of a {wanted.__name__} alone, and {type(made).__name__} is "
                    "none; take LatentModel"
                )
        super().__init__(score_model, autoencoder)

    @property
    def mixture(self) -> GaussianMixture:
        """That of the latents."""
        assert isinstance(self.score_model, GaussianMixture)
        return self.score_model

    @property
    def dimension(self) -> int:
        """k, the numbers in one latent."""
        return self.mixture.dimension

    def transform(self, normal: Tensor, condition: Tensor | None = None) -> Image:
        """Exact clean pictures, (n, *image_shape) float64, from standard normals, (n, 1 + k)."""
        return self.decode(self.mixture.transform(normal, condition))

    def posterior(self, A: Tensor, y: Tensor, sigma: float, label: int | None = None) -> GaussianMixture:
        """p(z | y = A (W z + m) + σ n), as GaussianMixture.posterior has it; A is (q, d), y (q,)."""
        assert isinstance(self.autoencoder, LinearAutoencoder)
        W, m = (part.to(A) for part in (self.autoencoder.matrix, self.autoencoder.mean))
        return self.mixture.posterior(A @ W, y - A @ m, sigma, label)


class RandomLinearAutoencoder(LinearAutoencoder):
    """One with a random W: orthonormal columns, as of principal components, stretched by `scales` from first to last,
    geometrically.

    Args:
        latent_dimension: k ≥ 1.
        image_dimension: d ≥ k.
        scales: of the first column and the last, above 0.
        seed: of W.

    Raises:
        UserError: for other dimensions or scales.
    """

    def __init__(
        self, latent_dimension: int, image_dimension: int, scales: tuple[float, float] = (1.0, 1.0), seed: int = 0
    ) -> None:
        if not 1 <= latent_dimension <= image_dimension or min(scales) <= 0.0:
            raise UserError(
                "RandomLinearAutoencoder: needs 1 ≤ latent_dimension ≤ image_dimension and scales above 0, got "
                f"{latent_dimension}, {image_dimension} and {tuple(scales)}"
            )
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(image_dimension, latent_dimension, generator=generator, dtype=torch.float64)
        first, last = (math.log(scale) for scale in scales)
        stretch = torch.linspace(first, last, latent_dimension, dtype=torch.float64).exp()
        super().__init__(torch.linalg.qr(drawn).Q * stretch)
