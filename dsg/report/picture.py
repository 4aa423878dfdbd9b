"""A picture on the page: read from a run folder, and small enough to be inside one file."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dsg.errors import UserError

LARGEST = 512  # pixels a side; larger pictures are made smaller
SMALLEST = 64  # to which a picture is made smaller for want of room
EXACT = 24_000  # bytes, up to which a picture is kept to the last bit
QUALITY, LESS = 90, 75  # of WebP, beyond; and where there is no room for that


@dataclass(frozen=True)
class Picture:
    """One picture: what it shows, and itself as a data URI of a PNG or WebP, with its width and height."""

    label: str
    uri: str
    size: tuple[int, int]


def read_picture(path: Path, folder: Path) -> Tensor:
    """A picture of the run folder, (3,H,W) uint8.

    Raises:
        UserError: if it is missing or damaged, or a link that leads out of the folder.
    """
    if not path.resolve().is_relative_to(folder.resolve()):  # a page may be sent to others
        raise UserError(f"{path} is a link that leads out of the run folder, and is not followed")
    try:
        with Image.open(path) as file:
            return torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing") from error
    except Exception as error:  # decoders raise many kinds
        raise UserError(f"{path} cannot be read") from error


def picture(label: str, pixels: Tensor, largest: int = LARGEST, room: float = math.inf) -> Picture:
    """`pixels`, (3,H,W) uint8, with at most `largest` of them a side, and fewer where the page has no room.

    Args:
        room: characters of its URI, kept to as long as it stays larger than 64 pixels a side.
    """
    image = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    size = image.size
    if max(size) > largest:
        image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    uri = _uri(image)
    if len(uri) > room:
        uri = _uri(image, LESS)
    while len(uri) > room and max(image.size) > SMALLEST:
        half = max(SMALLEST, max(image.size) // 2)
        image.thumbnail((half, half), Image.Resampling.LANCZOS)
        uri = _uri(image, LESS)
    return Picture(label if image.size == size else f"{label} (shown at {image.width}x{image.height})", uri, size)


def _uri(image: Image.Image, quality: int = QUALITY) -> str:
    """Exact where that takes little, else the smaller of PNG and WebP."""
    kind, content = "png", _encoded(image, "PNG", optimize=True)
    if len(content) > EXACT:
        other = _encoded(image, "WEBP", quality=quality)
        kind, content = min((kind, content), ("webp", other), key=lambda found: len(found[1]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _encoded(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
