"""The untrained networks of the latent world. Once trained, the pipeline folder says by itself what they are."""

from __future__ import annotations

from typing import Any, cast

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from .tokenizer import MAX_LENGTH

LATENT_CHANNELS, LATENT_SIZE = 4, 16
TEXT_WIDTH = 128


def build_autoencoder() -> AutoencoderKL:
    """Images (B,3,64,64) in [−1, 1] ↔ latents (B,4,16,16).

    Most of its work is done on 64x64 pixels, so that few channels there decide what a step costs.
    """
    options: dict[str, Any] = {  # diffusers says of most that they are tuples of one
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "block_out_channels": (32, 32, 64),
    }
    return AutoencoderKL(
        **options,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=64,
        scaling_factor=1.0,
    )


def build_flow() -> UNet2DConditionModel:
    """(x_t (B,4,16,16), 1000 t (B,), text (B,L,128)) → velocity ε − x_0 (B,4,16,16)."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        layers_per_block=1,
        block_out_channels=(64, 128, 128),
        # The text is read at 8 pixels and in the middle: at 16 a step would cost half as much again.
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=cast(Any, [2, 4, 4]),  # the number of heads, as diffusers reads it
        cross_attention_dim=TEXT_WIDTH,
        use_linear_projection=True,
        norm_num_groups=16,
    )


def build_text_encoder(tokens: int, start: int, end: int) -> CLIPTextModel:
    """Token numbers (B,L) → (B,L,128). `start` and `end` are the tokens that a text begins and ends with."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=tokens,
            hidden_size=TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            bos_token_id=start,
            eos_token_id=end,
            pad_token_id=end,
        )
    )
