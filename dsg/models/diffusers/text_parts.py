"""What the pipelines of text have in common: their encoders, their size, and the trial of their network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dsg.errors import UserError, first_line
from dsg.models.diffusers.autoencoder import AUTOENCODERS, DiffusersAutoencoder
from dsg.models.diffusers.pipeline import Pipeline
from dsg.models.diffusers.scheduler import Process, read_scheduler
from dsg.models.latent import Decoding
from dsg.models.pretrained.component import Component
from dsg.models.text.condition import TextCondition
from dsg.models.text.encoder import Precision, TextEncoder
from dsg.models.text.encoding import TextEncoding
from dsg.models.text.tokenizer import Tokenizer

Size = int | tuple[int, int]


def encoder_of(
    pipeline: Pipeline, number: str, classes: Sequence[str], dtype: Precision, longest: int | None = None
) -> TextEncoder:
    """A text encoder of a pipeline with its tokenizer.

    Args:
        pipeline: the pipeline.
        number: behind the names of both: empty, `_2` or `_3`.
        classes: what the encoder may be.
        dtype: of its weights.
        longest: the most tokens; None is as many as it has places for.

    Raises:
        UserError: if one of the two is missing, or they do not fit.
    """
    component, name = pipeline.component(f"text_encoder{number}", classes), f"tokenizer{number}"
    folder, kind = pipeline.folder(name), pipeline.index[name][1]
    places = component.config.get("max_position_embeddings", 77) if longest is None else longest
    return TextEncoder(component, Tokenizer(folder, kind, places), dtype)


def autoencoder_of(
    pipeline: Pipeline, latent_size: tuple[int, int], image_size: Size | None, decoding: Decoding | None
) -> DiffusersAutoencoder:
    """The autoencoder of a pipeline.

    Args:
        pipeline: the pipeline.
        latent_size: height and width that the network was trained on, taken where nobody asks for images of another.
        image_size: what was asked: the side of squares, or height and width.
        decoding: as `DiffusersAutoencoder` says.

    Raises:
        UserError: if it makes no images of that size, or another latent than the network's.
    """
    component = pipeline.component("vae", AUTOENCODERS)
    if image_size is None:
        return DiffusersAutoencoder(component, latent_size, None, decoding)
    size = (image_size, image_size) if isinstance(image_size, int) else (image_size[0], image_size[1])
    return DiffusersAutoencoder(component, None, size, decoding)


def check_network(
    network: Callable[[Tensor, Tensor, TextCondition], Tensor],
    component: Component,
    shape: tuple[int, ...],
    texts: TextEncoding,
) -> None:
    """Try a network on one state and one text, on no device.

    Raises:
        UserError: if it does not take them, or answers with another shape.
    """
    file, size = component.config_file, "x".join(map(str, shape))
    try:
        with torch.no_grad():
            answer = network(torch.zeros(1, *shape, device="meta"), torch.ones(1, device="meta"), texts.blank())
    except Exception as error:  # a configuration is foreign input, and diffusers raises what Python raises
        raise UserError(
            f"{file}: the network cannot take latents of {size} with these text encoders ({first_line(error)}); take "
            "parts of one pipeline, and an image_size that it knows"
        ) from error
    if tuple(answer.shape[1:]) != shape:
        made = "x".join(map(str, answer.shape[1:]))
        raise UserError(f"{file}: of latents of {size} the network makes {made}; take parts of one pipeline")


def check_channels(component: Component, network: int, autoencoder: DiffusersAutoencoder) -> None:
    """Refuse a network that sees more than the noisy latent, as one of inpainting, or other latents.

    Args:
        component: the network's.
        network: how many channels it takes.
        autoencoder: of the same pipeline.

    Raises:
        UserError: if the two numbers differ.
    """
    latent = autoencoder.latent_shape[0]
    if network != latent:
        raise UserError(
            f"{component.config_file}: the network takes {network} channels and latents have {latent}; networks that "
            "see an image too, as those of inpainting and editing, are not read: take the pipeline of text alone"
        )


def flow_of(pipeline: Pipeline) -> Process:
    """The process of a pipeline's scheduler.

    Raises:
        UserError: if it is no flow.
    """
    process = read_scheduler(pipeline.scheduler())
    if process.predicts != "velocity":
        raise UserError(
            f"{pipeline.scheduler()}: is of no flow, and a {pipeline.class_name} is one; take "
            "FlowMatchEulerDiscreteScheduler"
        )
    return process


def check_max_tokens(max_tokens: int) -> None:
    """Raise UserError if not even the end of a text would have room."""
    if max_tokens < 1:
        raise UserError(f"max_tokens: must be at least 1, got {max_tokens}")
