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


Size = int | tuple[int, int]  # of a square, or (H, W)


def open_picture(path: Path) -> Image.Image:
    """A picture file as 8-bit RGB and upright, in its own size: what data and reference are both read by.

    The EXIF orientation is applied, greyscale repeated over the channels, 16 bits brought to 8, transparency laid over
    white.

    Raises:
        UnreadableImage: if the file is no image or is cut off.
    """
    try:
        with Image.open(path) as file:
            return _to_rgb(ImageOps.exif_transpose(file))
    except Exception as error:  # decoders raise many kinds; whichever it is, this image cannot be read
        raise UnreadableImage(f"cannot read {path}: {' '.join(str(error).split())}") from error


def read_image(path: Path, size: Size, channels: int = 3) -> Tensor:
    """Read an image as (channels, H, W) float32 in [−1, 1]; `size` is (H, W), or one number for both.

    `open_picture`, then the centre crop and resize of guided-diffusion: halve by box filter while both sides are at
    least twice too large, bicubic until one side fits, crop the centre. One channel is the luma of ITU-R 601.

    Raises:
        UnreadableImage: if the file is no image, is cut off, or is smaller than `size`.
    """
    image = open_picture(path)
    height, width = (size, size) if isinstance(size, int) else size
    if image.height < height or image.width < width:
        raise UnreadableImage(f"{path} is {image.width}x{image.height}, smaller than the model's {width}x{height}")
    image = _centre_crop(image, height, width)
    return from_uint8(np.asarray(image if channels == 3 else image.convert("L")))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale
        levels = np.asarray(image, dtype=np.float64)
        grey = (levels / 257.0).round().clip(0, 255)
        grey[levels == image.info.get("transparency", -1)] = 255
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _centre_crop(image: Image.Image, height: int, width: int) -> Image.Image:
    while image.height >= 2 * height and image.width >= 2 * width:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = max(height / image.height, width / image.width)
    shape = (max(round(image.width * scale), width), max(round(image.height * scale), height))
    image = image.resize(shape, Image.Resampling.BICUBIC)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def from_uint8(pixels: np.ndarray) -> Tensor:
    """(H,W,3) uint8 → (3,H,W) float32 in [−1, 1]; (H,W) → (1,H,W)."""
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1).copy()).permute(2, 0, 1).float() / 127.5 - 1.0


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
