"""What the flow is trained on: latents of training portraits, and the tokens of their captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from dsg.data.portraits.captions import caption

from .learning import mixed

BATCH = 50


def as_images(levels: Tensor) -> Tensor:
    """uint8 → [−1, 1]."""
    return levels.float() / 127.5 - 1.0


@torch.no_grad()
def encode(autoencoder: AutoencoderKL, pictures: np.ndarray, device: torch.device) -> Tensor:
    """Modes of the posteriors of pictures uint8 (N,3,64,64): latents float32 (N,4,16,16), on the CPU."""
    modes = []
    for start in range(0, len(pictures), BATCH):
        images = as_images(torch.from_numpy(pictures[start : start + BATCH]).to(device))
        with mixed(device):
            posterior = autoencoder.encode(images).latent_dist  # pyright: ignore[reportAttributeAccessIssue]
        modes.append(posterior.mode().float().cpu())
    return torch.cat(modes)


@torch.no_grad()
def to_unit_scale(autoencoder: AutoencoderKL, latents: Tensor) -> None:
    """Change the autoencoder so that each channel of its latents has mean 0 and deviation 1, and D(E(x)) stays.

    Both of its innermost layers are linear, and take the change:  z' = (z − m) / s,  log σ'² = log σ² − 2 log s.

    Args:
        autoencoder: which made the latents.
        latents: (N,4,16,16) of training pictures.
    """
    inner, outer = autoencoder.quant_conv, autoencoder.post_quant_conv
    assert inner is not None
    assert outer is not None
    mean, deviation = latents.mean((0, 2, 3)).to(inner.weight), latents.std((0, 2, 3)).to(inner.weight)
    half = len(mean)
    outer.bias += outer.weight[:, :, 0, 0] @ mean  # pyright: ignore[reportOperatorIssue]
    outer.weight *= deviation[None, :, None, None]
    inner.weight[:half] /= deviation[:, None, None, None]
    inner.bias[:half] = (inner.bias[:half] - mean) / deviation  # pyright: ignore[reportOptionalSubscript]
    inner.bias[half:] -= 2 * deviation.log()  # pyright: ignore[reportOptionalSubscript]


def token_rows(tokenizer, texts: Sequence[str]) -> Tensor:
    """Token numbers (N,L), int64, padded as pipelines pad."""
    length = tokenizer.model_max_length
    padded = tokenizer(list(texts), padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return padded.input_ids


def cached_latents(file: Path, autoencoder: AutoencoderKL, pictures: np.ndarray, device: torch.device) -> Tensor:
    """`encode`, once: from the file where it is there. Delete the file for another autoencoder."""
    if not file.exists():
        part = file.with_suffix(".part")
        torch.save(encode(autoencoder, pictures, device), part)
        part.replace(file)
    return torch.load(file, weights_only=True, mmap=True)


def cached_captions(file: Path, tokenizer, first: int, count: int) -> Tensor:
    """Tokens (N,L) of the captions of portraits first..first+count-1, from the file where it is there."""
    if not file.exists():
        part = file.with_suffix(".part")
        rows = token_rows(tokenizer, [caption(index).text for index in range(first, first + count)])
        torch.save(rows.to(torch.int16), part)
        part.replace(file)
    return torch.load(file, weights_only=True)
