"""Numbers in a file: a picture, an array of numpy, or tensors of safetensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors import safe_open
from torch import Tensor

from dsg.data.image_file import SUFFIXES
from dsg.errors import UnreadableImage, UserError

PICTURES = SUFFIXES | {".tif", ".tiff"}
ARRAYS = frozenset({".npy", ".safetensors"})
MEASURED = "y"  # the tensor's name where a safetensors file holds several; a run folder's own files call it so
TRANSPARENT = "has transparent pixels, of which nobody knows what was measured; mask them"
LYING = frozenset({5, 6, 7, 8})  # EXIF orientations that exchange the sides


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Args:
        values: float64, of a picture (3,H,W), else of any shape.
        white: the whole number that means white, 255 or 65535; None where numbers are real, and mean what they are.
    """

    values: Tensor
    white: int | None


def read_stored(path: Path, name: str = MEASURED) -> Stored:
    """The numbers of a file; of safetensors those called `name`, or its only ones.

    Pictures are turned by their EXIF orientation; grey is repeated over the channels, and keeps its 16 bits if it has
    so many. Arrays of unsigned 8 or 16 bits are read as pictures are.

    Raises:
        UnreadableImage: for a file that is damaged, has transparent pixels, or numbers that are not finite or not real.
    """
    with _in_one_line(path):
        if path.suffix.lower() in PICTURES:
            return _picture(path)
        values = _tensor(path, name) if path.suffix.lower() == ".safetensors" else _array(path)
        white = {torch.uint8: 255, torch.uint16: 65535}.get(values.dtype)
        if values.is_complex():
            raise UnreadableImage(f"{path} holds complex numbers; save real ones")
        values = values.double()
        if not values.isfinite().all():
            raise UnreadableImage(
                f"{path} holds numbers that are not finite; mend them, or write 0 where a mask drops them"
            )
        return Stored(values, white)


def stored_shape(path: Path, name: str = MEASURED) -> tuple[int, ...]:
    """The shape of what `read_stored` gives, from the file's head alone. Raises UnreadableImage."""
    with _in_one_line(path):
        if path.suffix.lower() in PICTURES:
            with Image.open(path) as file:
                sides = file.size if file.getexif().get(0x0112) in LYING else file.size[::-1]
            return (3, *sides)
        if path.suffix.lower() == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False).shape
        with safe_open(path, "pt") as file:
            return tuple(file.get_slice(_chosen(path, list(file.keys()), name)).get_shape())


def stored_names(path: Path) -> frozenset[str]:
    """What a safetensors file holds, by name; nothing of other files. Raises UnreadableImage."""
    if path.suffix.lower() != ".safetensors":
        return frozenset()
    with _in_one_line(path), safe_open(path, "pt") as file:
        return frozenset(file.keys())


def read_plane(path: Path, name: str, option: str) -> tuple[Tensor, int | None]:
    """Of `read_stored` the one plane, (h,w), of a mask or kernel that `option` gave, and what is white.

    Raises:
        UserError: if it is of another shape than (h,w), (1,h,w) or three equal channels.
        UnreadableImage: as there.
    """
    stored = read_stored(path, name)
    values = stored.values[None] if stored.values.ndim == 2 else stored.values
    if values.ndim != 3 or not torch.equal(values, values[:1].expand_as(values)):
        raise UserError(
            f"{option}: {path} is {tuple(stored.values.shape)}, not one plane; give (H,W), or a grey picture"
        )
    return values[0], stored.white


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:  # decoders raise many kinds; whichever it is, this file cannot be read
        raise UnreadableImage(f"cannot read {path}: {' '.join(str(error).split())}") from error


def _picture(path: Path) -> Stored:
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)  # a copy, which outlives the file
    if image.mode == "F":
        raise UnreadableImage(f"{path} holds real numbers, of which range nobody knows; save them as .npy")
    if image.mode.startswith("I"):  # 16 bits of grey; to RGBA it would be cut off at 255
        values = torch.from_numpy(np.asarray(image, dtype=np.float64))
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableImage(f"{path} holds whole numbers of more than 16 bits; save them as .npy")
        if values.eq(image.info.get("transparency", -1)).any():
            raise UnreadableImage(f"{path} {TRANSPARENT}")
        return Stored(values.expand(3, -1, -1), 65535)
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        if np.asarray(image)[..., 3].min() < 255:
            raise UnreadableImage(f"{path} {TRANSPARENT}")
    pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    return Stored(torch.from_numpy(pixels).permute(2, 0, 1), 255)


def _array(path: Path) -> Tensor:
    values = np.load(path, allow_pickle=False)
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("=")))


def _tensor(path: Path, name: str) -> Tensor:
    with safe_open(path, "pt") as file:
        return file.get_tensor(_chosen(path, list(file.keys()), name))


def _chosen(path: Path, names: list[str], name: str) -> str:
    if name in names:
        return name
    if len(names) == 1 and name == MEASURED:
        return names[0]
    raise UnreadableImage(f"{path} holds {', '.join(sorted(names)) or 'nothing'} and no {name}; name one of them so")
