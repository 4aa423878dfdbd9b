"""The network behind the long-tailed portraits: a small class-conditional U-Net of latents that predicts v."""

from __future__ import annotations

from diffusers.models.unets.unet_2d import UNet2DModel

from dsg.models.portraits.network import NULL_CLASS

LATENT_SHAPE = (4, 16, 16)


def build_network() -> UNet2DModel:
    """The untrained network: (x_t (B,4,16,16), t (B,), class_labels (B,) in 0..NULL_CLASS) → v. 1.3 M parameters."""
    return UNet2DModel(
        sample_size=LATENT_SHAPE[-1],
        in_channels=LATENT_SHAPE[0],
        out_channels=LATENT_SHAPE[0],
        layers_per_block=1,
        block_out_channels=(48, 64, 64),
        # Attention at 8 alone: at 16 it would cost as much as the rest.
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=32,
        norm_num_groups=16,
        num_class_embeds=NULL_CLASS + 1,
    )
