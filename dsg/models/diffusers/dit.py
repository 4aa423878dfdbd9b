"""Diffusion transformers of ImageNet's classes, in the folder layout of `diffusers`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from dsg.errors import UserError, installed
from dsg.models.diffusers.autoencoder import AUTOENCODERS, DiffusersAutoencoder
from dsg.models.diffusers.component import load_component
from dsg.models.diffusers.network import shape_of
from dsg.models.diffusers.pipeline import open_pipeline
from dsg.models.diffusers.scheduler import read_scheduler, warn_of_clipping
from dsg.models.diffusers.unet_score import scheduler_file
from dsg.models.latent import Decoding, LatentModel
from dsg.models.network import NetworkModel
from dsg.models.pretrained.component import Component, answer_to
from dsg.models.weights import WeightFiles

_TRANSFORMERS = ("DiTTransformer2DModel", "Transformer2DModel")  # the second is what it was called when published


class DiT(LatentModel):
    """Peebles & Xie 2023 (2212.09748): a `DiTPipeline`, as `facebook/DiT-XL-2-256`.

    The label behind the last class is "no class", for guidance without a classifier. Where the network answers 2C
    channels, the second half is the range of its variance, as kernels with a learned variance read it.

    Args:
        path: folder on disk, name on the hub (owner/name), or a model's folder in the hub's cache.
        decoding: the autoencoder's precision, and what saves memory.
        scaling_factor: of the latents; null is the autoencoder's.
        variant: of the weights, as `fp16`; null is the one without a name, or the only one.
        revision: of a hub name: the full commit, or a tag or branch; null is the newest.

    Raises:
        UserError: if it is no such pipeline, or a part of it is missing or does not fit.
    """

    def __init__(
        self,
        path: str,
        decoding: Decoding | None = None,
        scaling_factor: float | None = None,
        variant: str | None = None,
        revision: str | None = None,
    ) -> None:
        parts = {"transformer": _TRANSFORMERS, "vae": AUTOENCODERS}
        pipeline = open_pipeline(path, "DiT", parts, variant, revision)
        warn_of_clipping(pipeline.scheduler())
        score = _score_of(pipeline.component("transformer", _TRANSFORMERS), pipeline.scheduler())
        _, height, width = score.shape
        vae = pipeline.component("vae", AUTOENCODERS)
        super().__init__(score, DiffusersAutoencoder(vae, (height, width), None, decoding, scaling_factor))


def _score_of(component: Component, scheduler: Path) -> NetworkModel:
    with installed("diffusers", "DiT"):
        from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel

    config, process = component.config, read_scheduler(scheduler)
    if config.get("norm_type", "ada_norm_zero") != "ada_norm_zero" or not config.get("num_embeds_ada_norm", 1000):
        raise UserError(
            f"{component.config_file}: norm_type {config.get('norm_type')!r} with num_embeds_ada_norm "
            f"{config.get('num_embeds_ada_norm')} is no transformer of classes; only ada_norm_zero is read"
        )
    shape, classes = shape_of({"in_channels": 4, **config}, component.config_file), config.get("num_embeds_ada_norm")

    def check(network: nn.Module) -> None:
        _check_answer(network, component.config_file, shape)

    network, files = load_component(component, DiTTransformer2DModel, check)
    score = NetworkModel(
        network,
        shape,
        predicts=process.predicts,
        schedule=process.schedule,
        coordinates=process.coordinates,
        clean_range=None,
        num_classes=classes or 1000,
        null_class=classes or 1000,
        learns_variance=config.get("out_channels") == 2 * shape[0],
    )
    score.weight_files = WeightFiles(files | scheduler_file(component, scheduler))
    return score


def _check_answer(network: nn.Module, file: Path, shape: tuple[int, ...]) -> None:
    size = "x".join(map(str, shape))
    labels = torch.zeros(1, dtype=torch.long, device="meta")
    answer = answer_to(network, shape, labels, file, f"latents of {size}", "correct sample_size")
    if answer.shape[1] not in (shape[0], 2 * shape[0]) or answer.shape[2:] != shape[1:]:
        raise UserError(
            f"{file}: of latents of {size} the network makes {'x'.join(map(str, answer.shape[1:]))}; correct "
            "out_channels, sample_size or patch_size"
        )
