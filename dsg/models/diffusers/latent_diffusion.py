"""Unconditional latent diffusion in the folder layout of `diffusers`."""

from __future__ import annotations

from dsg.errors import UserError
from dsg.models.diffusers.autoencoder import AUTOENCODERS, DiffusersAutoencoder
from dsg.models.diffusers.pipeline import Pipeline, open_pipeline
from dsg.models.diffusers.scheduler import warn_of_clipping
from dsg.models.diffusers.unet_score import UNetScore
from dsg.models.engines import Engine
from dsg.models.latent import Decoding, LatentModel
from dsg.models.pretrained.component import Component


class LatentDiffusion(LatentModel):
    """Rombach et al. 2022 (2112.10752): a `UNet2DModel` of the latents of a `VQModel` or `AutoencoderKL`.

    The folder is an `LDMPipeline`, as `CompVis/ldm-celebahq-256`, or another with unet, scheduler, and vqvae or vae.
    The state is the latent times the autoencoder's scaling_factor, and is clamped nowhere, whatever the scheduler says.

    Args:
        path: folder on disk, name on the hub (owner/name), or a model's folder in the hub's cache.
        scaling_factor: of the latents; null is what the autoencoder's configuration states. One that states none was
            saved before the key existed, and diffusers then takes 0.18215: 1.0 is right for the VQ models of CompVis.
        decoding: the autoencoder's precision, and what saves memory.
        null_class: as `DiffusersModel` says; unconditional models have none.
        num_classes: likewise.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.
        variant: of the weights, as `fp16`; null is the one without a name, or the only one.
        revision: of a hub name: the full commit, or a tag or branch; null is the newest.

    Raises:
        UserError: if it is no such pipeline, a part of it is missing or does not fit, or the scaling is not known.
    """

    def __init__(
        self,
        path: str,
        scaling_factor: float | None = None,
        decoding: Decoding | None = None,
        null_class: int | None = None,
        num_classes: int | None = None,
        engine: Engine | None = None,
        variant: str | None = None,
        revision: str | None = None,
    ) -> None:
        parts = {"unet": ("UNet2DModel",), "vqvae?": AUTOENCODERS, "vae?": AUTOENCODERS}
        pipeline = open_pipeline(path, "LatentDiffusion", parts, variant, revision)
        autoencoder = _autoencoder_of(pipeline)
        _check_scaling(autoencoder, scaling_factor)
        warn_of_clipping(pipeline.scheduler())
        unet = pipeline.component("unet", parts["unet"])
        score = UNetScore(unet, pipeline.scheduler(), null_class, engine, num_classes, clean_range=None)
        _, height, width = score.shape
        super().__init__(
            score, DiffusersAutoencoder(autoencoder, (height, width), None, decoding, scaling_factor=scaling_factor)
        )


def _autoencoder_of(pipeline: Pipeline) -> Component:
    for name in ("vqvae", "vae"):
        if pipeline.has(name):
            return pipeline.component(name, AUTOENCODERS)
    raise UserError(
        f"{pipeline.root}: its model_index.json ({pipeline.class_name}) has neither vqvae nor vae; models without an "
        "autoencoder are read by dsg.models.diffusers.DiffusersModel"
    )


def _check_scaling(autoencoder: Component, scaling_factor: float | None) -> None:
    """A VQ model that does not state it is older than the key, and diffusers' default is of another family."""
    if autoencoder.class_name == "VQModel" and scaling_factor is None and "scaling_factor" not in autoencoder.config:
        raise UserError(
            f"{autoencoder.config_file}: states no scaling_factor; set scaling_factor to the one of the training: 1.0 "
            "for the VQ models of CompVis, 0.18215 is what diffusers takes"
        )
