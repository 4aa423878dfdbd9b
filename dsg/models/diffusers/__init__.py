"""Networks in the folder layout of `diffusers`."""

from dsg.models.diffusers.model import DiffusersModel

__all__ = ["DiffusersModel"]
