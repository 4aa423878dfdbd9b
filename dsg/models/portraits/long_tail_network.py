"""The network behind the long-tailed portraits: a small class-conditional U-Net of latents that predicts v."""

from __future__ import annotations

from dsg.models.portraits.network import NULL_CLASS
from dsg.models.unet import UNet

LATENT_SHAPE = (4, 16, 16)


def build_network() -> UNet:
    """The untrained network: (x_t (B,4,16,16), t (B,), class_labels (B,) in 0..NULL_CLASS) → v. 1.3 M parameters."""
    # Attention at 8 alone: at 16 it would cost as much as the rest.
    return UNet(LATENT_SHAPE[0], widths=(48, 64, 64), attention=(False, True, False), num_labels=NULL_CLASS + 1)
