"""From a `UNet` to the `diffusers.UNet2DModel` that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dsg.errors import installed
from dsg.models.unet import UNet

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel


def in_diffusers(network: UNet) -> UNet2DModel:
    """The same function as a network of diffusers, with the same tensors as weights."""
    with installed("diffusers", "the engine Fused"):
        from diffusers.models.unets.unet_2d import UNet2DModel

    with torch.device("meta"):  # no weights are drawn that would be thrown away
        twin = UNet2DModel(
            in_channels=network.channels,
            out_channels=network.channels,
            layers_per_block=network.layers,
            block_out_channels=network.widths,
            down_block_types=tuple("AttnDownBlock2D" if attends else "DownBlock2D" for attends in network.attention),
            up_block_types=tuple("AttnUpBlock2D" if attends else "UpBlock2D" for attends in network.attention[::-1]),
            attention_head_dim=network.build.head_width,
            norm_num_groups=network.build.groups,
            num_class_embeds=network.num_labels,
        )
    twin.load_state_dict(network.state_dict(keep_vars=True), assign=True)
    return twin.train(network.training)
