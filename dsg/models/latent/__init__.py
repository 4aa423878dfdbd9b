"""Models of latents: a score model of an autoencoder's codes, and the autoencoder that makes images of them."""

from dsg.models.latent.autoencoder import Autoencoder
from dsg.models.latent.decoding import Decoding
from dsg.models.latent.linear import LinearAutoencoder
from dsg.models.latent.linear_latents import LinearLatents, RandomLinearAutoencoder
from dsg.models.latent.model import LatentModel

__all__ = ["Autoencoder", "Decoding", "LatentModel", "LinearAutoencoder", "LinearLatents", "RandomLinearAutoencoder"]
