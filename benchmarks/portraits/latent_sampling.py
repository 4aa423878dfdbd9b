"""Samples of a pipeline folder by plain Euler steps: for its evaluation, apart from the sampler of the library."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from .latents import token_rows


class World(NamedTuple):
    """The parts of the folder, in float32."""

    vae: Any
    unet: Any
    text_encoder: Any
    tokenizer: Any


def load_world(folder: Path) -> World:
    """The parts of a pipeline folder."""

    def load(kind: Any, name: str) -> Any:
        return kind.from_pretrained(str(folder / name)).float().eval().requires_grad_(False)

    return World(
        load(AutoencoderKL, "vae"),
        load(UNet2DConditionModel, "unet"),
        load(CLIPTextModel, "text_encoder"),
        CLIPTokenizer.from_pretrained(str(folder / "tokenizer")),
    )


@torch.no_grad()
def sample(
    world: World, texts: list[str], noise: Tensor, steps: int, scale: float, dtype: torch.dtype = torch.bfloat16
) -> Tensor:
    """Images (B,3,64,64) in [−1, 1] of B texts, from noise (B,4,16,16), by `steps` even Euler steps of the flow.

    v = v_none + scale (v_text − v_none) (Ho & Salimans 2022, 2207.12598, eq. 6); a scale of 1 leaves v_none out. The
    network computes in `dtype`.
    """
    text = world.text_encoder(token_rows(world.tokenizer, texts)).last_hidden_state
    none = world.text_encoder(token_rows(world.tokenizer, [""])).last_hidden_state.expand_as(text)
    x, times = noise, torch.linspace(1, 0, steps + 1)
    for t, after in pairwise(times):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            if scale == 1.0:
                v = world.unet(x, 1000 * t, text).sample.float()
            else:
                both = world.unet(torch.cat([x, x]), 1000 * t, torch.cat([text, none])).sample.float()
                told, untold = both.chunk(2)
                v = untold + scale * (told - untold)
        x = x + (after - t) * v
    return decode(world, x)


@torch.no_grad()
def decode(world: World, latents: Tensor) -> Tensor:
    """Latents (B,4,16,16) of unit scale → images (B,3,64,64) in [−1, 1]."""
    return world.vae.decode(latents / world.vae.config.scaling_factor).sample.clamp(-1, 1)
