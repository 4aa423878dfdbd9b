"""Networks and pipelines in the folder layout of `diffusers`."""

from dsg.models.diffusers.autoencoder import AutoencoderFolder
from dsg.models.diffusers.dit import DiT
from dsg.models.diffusers.flux import Flux
from dsg.models.diffusers.latent_diffusion import LatentDiffusion
from dsg.models.diffusers.model import DiffusersModel
from dsg.models.diffusers.stable_diffusion import StableDiffusion
from dsg.models.diffusers.stable_diffusion_3 import StableDiffusion3

__all__ = [
    "AutoencoderFolder",
    "DiT",
    "DiffusersModel",
    "Flux",
    "LatentDiffusion",
    "StableDiffusion",
    "StableDiffusion3",
]
