"""Flux, in the folder layout of `diffusers`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from dsg.errors import UserError, installed
from dsg.models.coordinates import RectifiedFlow
from dsg.models.diffusers.autoencoder import AUTOENCODERS
from dsg.models.diffusers.pipeline import open_pipeline
from dsg.models.diffusers.scheduler import Process
from dsg.models.diffusers.text_parts import (
    Size,
    autoencoder_of,
    check_channels,
    check_max_tokens,
    encoder_of,
    flow_of,
    score_of,
)
from dsg.models.latent import Decoding, LatentModel
from dsg.models.pretrained.component import Component
from dsg.models.text import OPTIONS, Encoded, Prompts, TextCondition, TextEncoding
from dsg.models.text.encoder import CLIP, T5, Precision

_TRANSFORMER = ("FluxTransformer2DModel",)
_PARTS = {
    "transformer": _TRANSFORMER,
    "vae": AUTOENCODERS,
    "text_encoder": (CLIP,),
    "tokenizer": (),
    "text_encoder_2": (T5,),
    "tokenizer_2": (),
}
_LATENT_SIZE = (128, 128)  # the configuration states none; 1024x1024 is what diffusers takes too
_GUIDANCE = 3.5


class Flux(LatentModel):
    """A `FluxPipeline`, e.g. FLUX.1-dev or FLUX.1-schnell: a rectified flow, whose network sees patches of 2x2 latents.

    It begins at noise alone, ā = 0. The scheduler's shift of the times is the spacing's: `ShiftedFlow` with e^1.15 =
    3.158 for 1024x1024 images of FLUX.1-dev, which hangs on their size, and with 1 of FLUX.1-schnell. T5 hears the
    text, and of CLIP the pooled vector goes beside the time.

    Args:
        path: folder on disk, name on the hub (owner/name), or a model's folder in the hub's cache.
        prompt: the text of all images; "" is none. Null takes each image's from the data.
        negative_prompt: likewise the text from which prediction combiners lead away; "" is none.
        prompt_column: of the data, read where `prompt` is null.
        negative_prompt_column: read where `negative_prompt` is null.
        truncate: cut texts that are longer than an encoder takes, 77 tokens of CLIP; otherwise they are refused.
        guidance: the scale that a distilled network is told, FLUX.1-dev's; null is 3.5 of such a network. It is no
            combiner: one evaluation a step.
        max_tokens: of T5, 1 or more.
        image_size: side of the images, or height and width, multiples of 16; null is 1024.
        text_dtype: the text encoders' precision, whatever the Trainer's is.
        decoding: the autoencoder's precision, and what saves memory.
        checkpointed: keep only what goes into each block of the network, and compute the rest again for the gradient.
        variant: of the weights, as `fp16`; null is the one without a name, or the only one.
        revision: of a hub name: the full commit, or a tag or branch; null is the newest.

    Raises:
        UserError: as `StableDiffusion`, and for a guidance of a network that is told none.
    """

    def __init__(
        self,
        path: str,
        prompt: str | None = None,
        negative_prompt: str | None = "",
        prompt_column: str = "prompt",
        negative_prompt_column: str = "negative_prompt",
        truncate: bool = False,
        guidance: float | None = None,
        max_tokens: int = 512,
        image_size: Size | None = None,
        text_dtype: Precision = "float32",
        decoding: Decoding | None = None,
        checkpointed: bool = False,
        variant: str | None = None,
        revision: str | None = None,
    ) -> None:
        with installed("diffusers", "Flux"):
            from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel

        check_max_tokens(max_tokens)
        pipeline = open_pipeline(path, "Flux", _PARTS, variant, revision)
        process = flow_of(pipeline)
        component = pipeline.component("transformer", _TRANSFORMER)
        told = _guidance_of(component, guidance)
        encoders = [
            encoder_of(pipeline, "", (CLIP,), text_dtype),
            encoder_of(pipeline, "_2", (T5,), text_dtype, max_tokens),
        ]
        texts = PooledAndTokens(encoders, truncate)
        autoencoder = autoencoder_of(pipeline, _LATENT_SIZE, image_size, decoding)
        check_channels(component, component.config.get("in_channels", 64) // 4, autoencoder)
        process = Process(
            process.schedule, process.predicts, RectifiedFlow()
        )  # its network multiplies t by 1000 itself
        score = score_of(
            component, FluxTransformer2DModel, partial(PackedTransformer, guidance=told), process, pipeline.scheduler(),
            autoencoder.latent_shape, texts,
            Prompts.both(prompt, prompt_column, negative_prompt, negative_prompt_column), checkpointed,
        )  # fmt: skip
        super().__init__(score, autoencoder)


class PooledAndTokens(TextEncoding):
    """The tokens of the second encoder, and the pooled vector of the first."""

    def combine(self, encoded: Sequence[Encoded]) -> TextCondition:
        first, second = encoded
        return TextCondition(second.last, first.pooled)


class PackedTransformer(nn.Module):
    """A `FluxTransformer2DModel` as `TextModel` calls it: (x (B,C,H,W), t (B,), condition) → (B,C,H,W).

    The network sees (B, HW/4, 4C), and beside each patch its place (0, row, column); tokens of text are all at 0.

    Args:
        transformer: of diffusers.
        guidance: the scale that it is told, or None.
    """

    def __init__(self, transformer: Any, guidance: float | None) -> None:
        super().__init__()
        self.transformer, self.guidance = transformer, guidance

    def forward(self, x: Tensor, t: Tensor, condition: TextCondition) -> Tensor:
        assert condition.pooled is not None
        patches = pixel_unshuffle(x, 2)
        axes = (torch.arange(n, device=x.device, dtype=torch.float32) for n in (1, *patches.shape[2:]))
        places = torch.cartesian_prod(*axes)
        answer = self.transformer(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=t,
            guidance=None if self.guidance is None else torch.full_like(t, self.guidance),
            encoder_hidden_states=condition.embedding.to(x.dtype),
            pooled_projections=condition.pooled.to(x.dtype),
            txt_ids=places.new_zeros(condition.embedding.shape[1], 3),
            img_ids=places,
        ).sample
        return pixel_shuffle(answer.transpose(1, 2).reshape(patches.shape), 2)


def _guidance_of(component: Component, guidance: float | None) -> float | None:
    if component.config.get("guidance_embeds"):
        return _GUIDANCE if guidance is None else guidance
    if guidance is not None:
        raise UserError(
            f"{OPTIONS}.guidance: {component.config_file} is of a network that is told none; leave it out, and take "
            "model.combiner"
        )
    return None
