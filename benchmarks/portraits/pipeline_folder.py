"""The latent world as a folder that loaders of diffusers' pipelines read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from safetensors.torch import load_file, save_file


def write_pipeline(folder: Path, vae: Any, unet: Any, text_encoder: Any, tokenizer: Path) -> None:
    """Write `folder` in the layout of StableDiffusionPipeline: weights in float16, the scheduler of a rectified flow.

    Args:
        folder: is made, and its files replaced.
        vae, unet, text_encoder: the trained networks; they are made float16.
        tokenizer: folder of the tokenizer's files.
    """
    for name, network in (("vae", vae), ("unet", unet), ("text_encoder", text_encoder)):
        network.half().save_pretrained(folder / name)
        _forget_paths(folder / name / "config.json")
    _name_as_published(folder / "text_encoder" / "model.safetensors")
    FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0).save_pretrained(folder / "scheduler")
    shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers.__version__,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def _forget_paths(file: Path) -> None:
    """Take out where on this machine a network was read from."""
    config = json.loads(file.read_text())
    config.pop("_name_or_path", None)
    file.write_text(json.dumps(config, indent=2) + "\n")


def _name_as_published(file: Path) -> None:
    """Give the text encoder's tensors the prefix of published files: transformers 4 reads nothing else, 5 both."""
    tensors = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
