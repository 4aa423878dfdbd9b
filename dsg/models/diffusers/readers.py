"""Which model here reads which pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsg.errors import UserError

INDEX = "model_index.json"  # of a pipeline: its class and its parts

READERS = {
    "DDPMPipeline": "DiffusersModel",
    "DDIMPipeline": "DiffusersModel",
    "PNDMPipeline": "DiffusersModel",
    "ScoreSdeVePipeline": "DiffusersModel",
    "LDMPipeline": "LatentDiffusion",
    "DiTPipeline": "DiT",
    "StableDiffusionPipeline": "StableDiffusion",
    "StableDiffusion3Pipeline": "StableDiffusion3",
    "FluxPipeline": "Flux",
}  # class in model_index.json → class in dsg.models.diffusers


def check_reader(index: Mapping[str, Any], root: Path, reader: str) -> None:
    """Refuse a pipeline that another model reads, or one of latents that none reads.

    A class that is not in `READERS` passes: a saved pipeline of somebody's own is judged by its parts.

    Args:
        index: what model_index.json holds.
        root: the pipeline's folder.
        reader: the model that would read it.

    Raises:
        UserError: names the model that reads it.
    """
    kind = index.get("_class_name")
    known = READERS.get(kind) if isinstance(kind, str) else None
    if known is not None and known != reader:
        raise UserError(f"{root}: is a {kind}, which dsg.models.diffusers.{known} reads, and not {reader}")
    latent = sorted({"vae", "vqvae"} & set(index))
    if latent and reader == "DiffusersModel":
        raise UserError(
            f"{root}: a latent pipeline (a {kind} with a {latent[0]}), and DiffusersModel reads pixel-space ones; of "
            f"latent ones these are read: {', '.join(name for name, by in READERS.items() if by != reader)}"
        )
