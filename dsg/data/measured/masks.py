"""Masks from files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from dsg.data.measured.stored import read_stored
from dsg.errors import UserError


def read_mask(path: Path, name: str = "mask") -> Tensor:
    """The mask in a file, (1,H,W) float32: 1 where it is white, or 1.

    Raises:
        UserError: if it has another shape than (H,W), (1,H,W) or three equal channels, or other values than black and
            white, 0 and 1, or is black alone.
        UnreadableImage: if it cannot be read.
    """
    stored = read_stored(path, name)
    values = stored.values[None] if stored.values.ndim == 2 else stored.values
    if values.ndim != 3 or not torch.equal(values, values[:1].expand_as(values)):
        raise UserError(
            f"data.masks: {path} is {tuple(stored.values.shape)}, not one plane; give (H,W), or a grey picture"
        )
    found = values[0].unique()
    ones = stored.white if stored.white is not None and found.max() > 1 else 1
    others = int(((found != 0) & (found != ones)).sum())
    if others:
        raise UserError(
            f"data.masks: {path} holds {others} values that are neither 0 nor {ones:g} (JPEG makes such), the first "
            f"{found[(found != 0) & (found != ones)][0]:g}; set a threshold, and save it as PNG or .npy"
        )
    return (values[:1] == ones).float()
