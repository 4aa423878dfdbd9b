"""EDM and EDM2: the networks of Karras et al., from their published checkpoints."""

from dsg.models.edm.model import EDM

__all__ = ["EDM"]
