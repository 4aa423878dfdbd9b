"""What the pipelines of text have in common: their encoders, their size, and the trial of their network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from torch import nn

from dsg.errors import UserError
from dsg.models.diffusers.autoencoder import AUTOENCODERS, DiffusersAutoencoder
from dsg.models.diffusers.component import load_component
from dsg.models.diffusers.pipeline import Pipeline
from dsg.models.diffusers.scheduler import Process, read_scheduler
from dsg.models.diffusers.unet_score import scheduler_file
from dsg.models.engines import Engine
from dsg.models.latent import Decoding
from dsg.models.pretrained.component import Component, answer_to
from dsg.models.text.encoder import Precision, TextEncoder
from dsg.models.text.encoding import TextEncoding
from dsg.models.text.model import TextModel
from dsg.models.text.prompts import Prompts
from dsg.models.text.tokenizer import Tokenizer
from dsg.models.weights import WeightFiles

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
    if not isinstance(image_size, int) and len(image_size) != 2:
        raise UserError(f"image_size: must be the side of squares, or height and width, got {list(image_size)}")
    size = (image_size, image_size) if isinstance(image_size, int) else (image_size[0], image_size[1])
    return DiffusersAutoencoder(component, None, size, decoding)


def score_of(
    component: Component,
    kind: type[nn.Module],
    as_called: Callable[[Any], nn.Module],
    process: Process,
    scheduler: Path,
    shape: tuple[int, ...],
    texts: TextEncoding,
    prompts: tuple[Prompts, Prompts],
    checkpointed: bool,
    engine: Engine | None = None,
) -> TextModel:
    """The network of a pipeline as a score model of its latents.

    Args:
        component: the network's.
        kind: its class in diffusers.
        as_called: what calls such a network as `TextModel` does.
        process: what it was trained on.
        scheduler: the file that says so.
        shape: of a latent.
        texts: the text encoders.
        prompts: where the texts come from, and the negative ones.
        checkpointed: keep only what goes into each block, and compute the rest again for the gradient.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.

    Raises:
        UserError: if the network cannot be built, does not take a latent and a text, or its weights do not fit.
    """

    def check(network: Any) -> None:
        _check_answer(as_called(network), component, shape, texts)

    network, files = load_component(component, kind, check)
    if checkpointed:
        cast(Any, network).enable_gradient_checkpointing()
    score = TextModel(
        as_called(network), shape, process.predicts, process.schedule, process.coordinates, texts, *prompts,
        engine,
    )  # fmt: skip
    score.weight_files = WeightFiles(files | scheduler_file(component, scheduler))
    return score


def _check_answer(network: nn.Module, component: Component, shape: tuple[int, ...], texts: TextEncoding) -> None:
    """Refuse a network that does not take one latent and one text, or answers with another shape."""
    file, size = component.config_file, "x".join(map(str, shape))
    what = f"latents of {size} with these text encoders"
    mend = "take parts of one pipeline, and an image_size that it knows"
    answer = answer_to(network, shape, texts.blank(), file, what, mend)
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
