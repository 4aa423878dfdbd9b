"""Stable Diffusion 1 and 2, in the folder layout of `diffusers`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dsg.errors import UserError, installed
from dsg.models.diffusers.autoencoder import AUTOENCODERS
from dsg.models.diffusers.network import shape_of
from dsg.models.diffusers.pipeline import Pipeline, open_pipeline
from dsg.models.diffusers.scheduler import read_scheduler
from dsg.models.diffusers.text_parts import Size, autoencoder_of, check_channels, encoder_of, score_of
from dsg.models.engines import Engine
from dsg.models.latent import Decoding, LatentModel
from dsg.models.pretrained.component import Component
from dsg.models.text import Prompts, TextCondition
from dsg.models.text.encoder import CLIP, Precision
from dsg.models.text.encoding import OneEncoder

_PARTS = {"unet": ("UNet2DConditionModel",), "vae": AUTOENCODERS, "text_encoder": (CLIP,), "tokenizer": ()}
_TOLD_MORE = (
    "class_embed_type",
    "num_class_embeds",
    "addition_embed_type",
    "encoder_hid_dim_type",
    "time_cond_proj_dim",
)


class StableDiffusion(LatentModel):
    """Rombach et al. 2022 (2112.10752): a `StableDiffusionPipeline`, as `stable-diffusion-v1-5/stable-diffusion-v1-5`.

    Of version 1 or 2 and of anybody's training: what the network predicts, ε, v or the velocity of a flow, is the
    scheduler's to say. The state is the latent times the autoencoder's scaling_factor, and is clamped nowhere.
    `safety_checker`, `feature_extractor` and `image_encoder` are not looked at.

    Args:
        path: folder on disk, name on the hub (owner/name), or a model's folder in the hub's cache.
        prompt: the text of all images; "" is none. Null takes each image's from the data.
        negative_prompt: likewise the text from which prediction combiners lead away; "" is none.
        prompt_column: of the data, read where `prompt` is null.
        negative_prompt_column: read where `negative_prompt` is null.
        truncate: cut texts that are longer than the encoder takes, 77 tokens; otherwise they are refused.
        image_size: side of the images, or height and width; null is what the network was trained on.
        text_dtype: the text encoder's precision, whatever the Trainer's is.
        decoding: the autoencoder's precision, and what saves memory.
        checkpointed: keep only what goes into each block of the network, and compute the rest again for the gradient.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.
        variant: of the weights, as `fp16`; null is the one without a name, or the only one.
        revision: of a hub name: the full commit, or a tag or branch; null is the newest.

    Raises:
        UserError: if it is no such pipeline, a part of it is missing or does not fit the others, or transformers is not
            installed.
    """

    def __init__(
        self,
        path: str,
        prompt: str | None = None,
        negative_prompt: str | None = "",
        prompt_column: str = "prompt",
        negative_prompt_column: str = "negative_prompt",
        truncate: bool = False,
        image_size: Size | None = None,
        text_dtype: Precision = "float32",
        decoding: Decoding | None = None,
        checkpointed: bool = False,
        engine: Engine | None = None,
        variant: str | None = None,
        revision: str | None = None,
    ) -> None:
        with installed("diffusers", "StableDiffusion"):
            from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

        pipeline = open_pipeline(path, "StableDiffusion", _PARTS, variant, revision)
        process = read_scheduler(pipeline.scheduler())
        texts = OneEncoder([encoder_of(pipeline, "", (CLIP,), text_dtype)], truncate)
        unet = _unet_of(pipeline)
        _, height, width = shape_of({"sample_size": 64, **unet.config}, unet.config_file)
        autoencoder = autoencoder_of(pipeline, (height, width), image_size, decoding)
        check_channels(unet, unet.config.get("in_channels", 4), autoencoder)
        score = score_of(
            unet, UNet2DConditionModel, TextUNet, process, pipeline.scheduler(), autoencoder.latent_shape, texts,
            Prompts.both(prompt, prompt_column, negative_prompt, negative_prompt_column), checkpointed, engine,
        )  # fmt: skip
        super().__init__(score, autoencoder)


class TextUNet(nn.Module):
    """A `UNet2DConditionModel` as `TextModel` calls it: (x (B,C,H,W), t (B,), condition) → (B,C,H,W)."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor, condition: TextCondition) -> Tensor:
        return self.unet(x, t, encoder_hidden_states=condition.embedding.to(x.dtype)).sample


def _unet_of(pipeline: Pipeline) -> Component:
    unet = pipeline.component("unet", _PARTS["unet"])
    if told := [key for key in _TOLD_MORE if unet.config.get(key) is not None]:
        raise UserError(
            f"{unet.config_file}: a network that is told of more than a text ({told[0]} {unet.config[told[0]]!r}), as "
            "those of Stable Diffusion XL and of distilled guidance; only versions 1 and 2 are read"
        )
    return unet
