"""ADM: the pixel-space networks of guided-diffusion."""

from dsg.models.adm.model import ADM

__all__ = ["ADM"]
