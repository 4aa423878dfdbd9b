"""Masks from files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import Tensor

from dsg.data.measured.stored import read_plane
from dsg.errors import UserError

Marks = Literal["observed", "dropped"]


def read_mask(path: Path, name: str = "mask", marks: Marks = "observed") -> Tensor:
    """The mask in a file, (1,H,W) float32: 1 where pixels are observed.

    Args:
        path: a picture of black and white, or an array of 0 and 1.
        name: of the tensor in it.
        marks: what is white, or 1, there.

    Raises:
        UserError: if it has another shape than (H,W), (1,H,W) or three equal channels, or other values, or if no pixel
            is observed.
        UnreadableImage: if it cannot be read.
    """
    plane, white = read_plane(path, name, "data.masks")
    found = plane.unique()
    ones = white if white is not None and found.max() > 1 else 1
    others = int(((found != 0) & (found != ones)).sum())
    if others:
        raise UserError(
            f"data.masks: {path} holds {others} values that are neither 0 nor {ones:g} (JPEG makes such), the first "
            f"{found[(found != 0) & (found != ones)][0]:g}; set a threshold, and save it as PNG or .npy"
        )
    mask = (plane[None] == (ones if marks == "observed" else 0)).float()
    if not mask.any():
        raise UserError(f"data.masks: {path} observes no pixel; is data.mask_marks the right one?")
    return mask
