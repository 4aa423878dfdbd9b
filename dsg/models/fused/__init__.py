"""U-Nets whose norms, activations, biases and additions are few operations: the same function, in half the bytes."""

from dsg.models.fused.convert import NotFusible, fuse, why_not
from dsg.models.fused.unet import FusedUNet

__all__ = ["FusedUNet", "NotFusible", "fuse", "why_not"]
