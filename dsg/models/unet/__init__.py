"""The U-Net of the embedded networks, in plain torch."""

from dsg.models.unet.network import UNet

__all__ = ["UNet"]
