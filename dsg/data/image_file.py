"""Reading and writing one picture: [−1, 1] on this side, 8 bits on the disk."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from dsg.errors import UnreadableImage

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


def read_image(path: Path, size: int) -> Tensor:
    """Read an image as (3, size, size) float32 in [−1, 1].

    The EXIF orientation is applied, greyscale repeated over the channels, 16 bits brought to 8, transparency laid over
    white; then the centre crop and resize of guided-diffusion: halve by box filter while at least twice too large,
    bicubic to the size, crop the centre.

    Raises:
        UnreadableImage: if the file is no image, is cut off, or is smaller than `size`.
    """
    try:
        with Image.open(path) as file:
            image = _to_rgb(ImageOps.exif_transpose(file))
    except Exception as error:  # decoders raise many kinds; whichever it is, this image cannot be read
        raise UnreadableImage(f"cannot read {path}: {error}") from error
    if min(image.size) < size:
        width, height = image.size
        raise UnreadableImage(f"{path} is {width}x{height}, smaller than the model's {size}x{size}")
    return from_uint8(np.asarray(_centre_crop(image, size)))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale
        levels = np.asarray(image, dtype=np.float64) / 257.0
        return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _centre_crop(image: Image.Image, size: int) -> Image.Image:
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    shape = (max(round(image.width * scale), size), max(round(image.height * scale), size))
    image = image.resize(shape, Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def from_uint8(pixels: np.ndarray) -> Tensor:
    """(H,W,3) uint8 → (3,H,W) float32 in [−1, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 127.5 - 1.0


def to_uint8(image: Tensor) -> Tensor:
    """[−1, 1] → 0..255: clipped and rounded, never rescaled. (..., H, W) → the same shape, uint8."""
    return ((image.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)


def encode_image(image: Tensor) -> Image.Image:
    """(C,H,W) in [−1, 1], C = 1 or 3 → a PIL image."""
    return _picture(to_uint8(image))


def encode_png(pixels: Tensor) -> bytes:
    """(C,H,W) uint8, C = 1 or 3 → a PNG file's content."""
    content = io.BytesIO()
    _picture(pixels).save(content, format="PNG")
    return content.getvalue()


def _picture(pixels: Tensor) -> Image.Image:
    array = pixels.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array.squeeze(-1) if array.shape[-1] == 1 else array)
