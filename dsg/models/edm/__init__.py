"""EDM and EDM2: the networks of Karras et al., from their published checkpoints."""

from dsg.models.edm.denoiser import Denoiser
from dsg.models.edm.latents import LatentEDM, StabilityEncoder
from dsg.models.edm.model import EDM

__all__ = ["EDM", "Denoiser", "LatentEDM", "StabilityEncoder"]
