"""Networks and pipelines in the folder layout of `diffusers`."""

from dsg.models.diffusers.autoencoder import AutoencoderFolder
from dsg.models.diffusers.dit import DiT
from dsg.models.diffusers.latent_diffusion import LatentDiffusion
from dsg.models.diffusers.model import DiffusersModel

__all__ = ["AutoencoderFolder", "DiT", "DiffusersModel", "LatentDiffusion"]
