"""The vocabulary of the portraits' tokens: codes of the latent world, and every training portrait in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from scipy.cluster.vq import kmeans2
from torch import Tensor

from dsg.data.portraits.attributes import class_label, draw_traits
from dsg.models.portraits.token_network import CODES, nearest_codes

from .latents import encode

PICTURES, PLACES = 1500, 100_000  # of which the codes are made
PART = 2000  # pictures encoded at a time: latents of all of them need not lie in memory


def make_codes(latents: Tensor, count: int = CODES) -> Tensor:
    """k-means of the places of latents (N,4,16,16): codes (count,4) that float16 holds, by how often they are used.

    Raises:
        ValueError: if a code is of no place, so that there are too few places.
    """
    places = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1]).double().numpy()
    pick = np.random.default_rng(0).permutation(len(places))[:PLACES]
    codes, nearest = kmeans2(places[pick], count, iter=30, minit="++", rng=np.random.default_rng(1), missing="raise")
    order = np.argsort(-np.bincount(nearest, minlength=count), kind="stable")
    return torch.from_numpy(codes[order]).half().float()


def cached_codes(file: Path, autoencoder: AutoencoderKL, pictures: np.ndarray, device: torch.device) -> Tensor:
    """`make_codes` of the first pictures, uint8 (N,3,64,64), once: from the file where it is there."""
    if not file.exists():
        _save(make_codes(encode(autoencoder, pictures[:PICTURES], device)), file)
    return torch.load(file, weights_only=True)


def cached_tokens(
    file: Path, autoencoder: AutoencoderKL, codes: Tensor, pictures: np.ndarray, device: torch.device
) -> Tensor:
    """The tokens of pictures, (N,256) uint8, once: from the file where it is there. Delete it for other codes."""
    if not file.exists():
        parts = []
        for start in range(0, len(pictures), PART):
            latents = encode(autoencoder, pictures[start : start + PART], device)
            parts.append(nearest_codes(latents, codes).to(torch.uint8))
            print(f"tokens of {start + len(latents)} of {len(pictures)} portraits", flush=True)
        _save(torch.cat(parts), file)
    return torch.load(file, weights_only=True)


def labels_of(start: int, count: int) -> Tensor:
    """The classes of portraits start..start+count-1, (N,) int64, without drawing them."""
    return torch.tensor([class_label(draw_traits(index)) for index in range(start, start + count)])


def _save(values: Tensor, file: Path) -> None:
    part = file.with_suffix(".part")
    torch.save(values, part)
    part.replace(file)
