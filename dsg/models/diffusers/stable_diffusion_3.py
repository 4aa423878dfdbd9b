"""Stable Diffusion 3 and 3.5, in the folder layout of `diffusers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from dsg.errors import installed
from dsg.models.diffusers.autoencoder import AUTOENCODERS
from dsg.models.diffusers.network import shape_of
from dsg.models.diffusers.pipeline import open_pipeline
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
from dsg.models.text import Encoded, Prompts, TextCondition, TextEncoder, TextEncoding
from dsg.models.text.encoder import PROJECTED_CLIP, T5, Precision

_TRANSFORMER = ("SD3Transformer2DModel",)
_PARTS = {
    "transformer": _TRANSFORMER,
    "vae": AUTOENCODERS,
    "text_encoder": (PROJECTED_CLIP,),
    "tokenizer": (),
    "text_encoder_2": (PROJECTED_CLIP,),
    "tokenizer_2": (),
}
_THIRD = {"text_encoder_3?": (T5,), "tokenizer_3?": ()}


class StableDiffusion3(LatentModel):
    """Esser et al. 2024 (2403.03206): a `StableDiffusion3Pipeline`, e.g. stable-diffusion-3-medium-diffusers.

    A rectified flow, whose network counts t from 0 to 1000. It begins at noise alone, ā = 0; the scheduler's shift of
    the times is the spacing's: `ShiftedFlow`. Three encoders hear the same text: two CLIP, whose tokens stand before
    those of T5, and whose pooled vectors go beside the time. Without T5 its tokens are zeros, as in diffusers.

    Args:
        path: folder on disk, name on the hub (owner/name), or a model's folder in the hub's cache.
        prompt: the text of all images; "" is none. Null takes each image's from the data.
        negative_prompt: likewise the text from which prediction combiners lead away; "" is none.
        prompt_column: of the data, read where `prompt` is null.
        negative_prompt_column: read where `negative_prompt` is null.
        truncate: cut texts that are longer than an encoder takes, 77 tokens of CLIP; otherwise they are refused.
        t5: read the third text encoder where the pipeline has it; it is the largest part, and without it the network
            hears the CLIP encoders alone.
        max_tokens: of T5, 1 or more.
        image_size: side of the images, or height and width; null is what the network was trained on.
        text_dtype: the text encoders' precision, whatever the Trainer's is.
        decoding: the autoencoder's precision, and what saves memory.
        checkpointed: keep only what goes into each block of the network, and compute the rest again for the gradient.
        variant: of the weights, as `fp16`; null is the one without a name, or the only one.
        revision: of a hub name: the full commit, or a tag or branch; null is the newest.

    Raises:
        UserError: as `StableDiffusion`.
    """

    def __init__(
        self,
        path: str,
        prompt: str | None = None,
        negative_prompt: str | None = "",
        prompt_column: str = "prompt",
        negative_prompt_column: str = "negative_prompt",
        truncate: bool = False,
        t5: bool = True,
        max_tokens: int = 256,
        image_size: Size | None = None,
        text_dtype: Precision = "float32",
        decoding: Decoding | None = None,
        checkpointed: bool = False,
        variant: str | None = None,
        revision: str | None = None,
    ) -> None:
        with installed("diffusers", "StableDiffusion3"):
            from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel

        check_max_tokens(max_tokens)
        parts = _PARTS | (_THIRD if t5 else {})
        pipeline = open_pipeline(path, "StableDiffusion3", parts, variant, revision)
        process = flow_of(pipeline)
        component = pipeline.component("transformer", _TRANSFORMER)
        encoders = [encoder_of(pipeline, number, (PROJECTED_CLIP,), text_dtype) for number in ("", "_2")]
        if t5 and pipeline.has("text_encoder_3"):
            encoders.append(encoder_of(pipeline, "_3", (T5,), text_dtype, max_tokens))
        texts = ThreeEncoders(encoders, max_tokens, component.config.get("joint_attention_dim", 4096), truncate)
        _, height, width = shape_of({"sample_size": 128, **component.config}, component.config_file)
        autoencoder = autoencoder_of(pipeline, (height, width), image_size, decoding)
        check_channels(component, component.config.get("in_channels", 16), autoencoder)
        score = score_of(
            component, SD3Transformer2DModel, TextTransformer, process, pipeline.scheduler(), autoencoder.latent_shape,
            texts, Prompts.both(prompt, prompt_column, negative_prompt, negative_prompt_column), checkpointed,
        )  # fmt: skip
        super().__init__(score, autoencoder)


class ThreeEncoders(TextEncoding):
    """[CLIP₁ ‖ CLIP₂, filled with zeros to T5's width; T5], each token; and the two pooled CLIP vectors, one after the
    other (2403.03206, fig. 2).

    Args:
        encoders: two CLIP with a projection and, perhaps, T5.
        max_tokens: of T5.
        width: of T5's embeddings.
        truncate: as `TextEncoding` says.
    """

    def __init__(self, encoders: Sequence[TextEncoder], max_tokens: int, width: int, truncate: bool = False) -> None:
        super().__init__(encoders, truncate)
        self.max_tokens, self.width = max_tokens, width

    def combine(self, encoded: Sequence[Encoded]) -> TextCondition:
        first, second, *third = encoded
        assert first.penultimate is not None
        assert second.penultimate is not None
        assert first.pooled is not None
        assert second.pooled is not None
        clip = torch.cat([first.penultimate, second.penultimate], dim=-1)
        t5 = third[0].last if third else clip.new_zeros(len(clip), self.max_tokens, self.width)
        tokens = torch.cat([pad(clip, (0, t5.shape[-1] - clip.shape[-1])), t5], dim=1)
        return TextCondition(tokens, torch.cat([first.pooled, second.pooled], dim=-1))


class TextTransformer(nn.Module):
    """An `SD3Transformer2DModel` as `TextModel` calls it: (x (B,C,H,W), t (B,), condition) → (B,C,H,W)."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, x: Tensor, t: Tensor, condition: TextCondition) -> Tensor:
        assert condition.pooled is not None
        return self.transformer(
            hidden_states=x,
            timestep=t,
            encoder_hidden_states=condition.embedding.to(x.dtype),
            pooled_projections=condition.pooled.to(x.dtype),
        ).sample
