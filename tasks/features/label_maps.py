"""Label maps: how well two agree, and how one looks."""

from __future__ import annotations

import colorsys

import torch
from jaxtyping import Int
from torch import Tensor

from dsg.types import Image, PerSample

LabelMap = Int[Tensor, "B H W"]
_GOLDEN = 0.618033988749895  # turns of the hue from one class to the next: no two of a few dozen come close


def mean_iou(found: LabelMap, asked: LabelMap, classes: int, ignore: int | None = None) -> PerSample:
    """Mean over the classes c in `asked` of |found = c ∧ asked = c|/|found = c ∨ asked = c|, (B,) in [0, 1].

    Args:
        found: classes 0 ≤ c < K.
        asked: likewise; places of the class `ignore` count for neither.
        classes: K.
        ignore: a class that is none.

    Returns:
        NaN where `asked` has no class at all.
    """
    rows = torch.arange(len(asked), device=asked.device)[:, None, None].expand_as(asked)
    counted = asked < classes if ignore is None else (asked != ignore) & (asked < classes)
    cells = ((rows * classes + asked) * classes + found)[counted]
    table = cells.bincount(minlength=len(asked) * classes**2).reshape(-1, classes, classes).float()
    both, wanted, made = table.diagonal(dim1=1, dim2=2), table.sum(2), table.sum(1)
    present = wanted > 0
    each = torch.where(present, both / (wanted + made - both).clamp(min=1), 0.0)
    return each.sum(1) / present.sum(1)


def coloured(labels: LabelMap) -> Image:
    """A colour a class, (B,H,W) → (B,3,H,W) in [−1, 1]; 0, often the background, is dark, and 255 (none) white."""
    return _palette().to(labels.device)[labels.clamp(0, 255)].permute(0, 3, 1, 2) * 2 - 1


def _palette() -> Tensor:
    """(256,3) in [0, 1]."""
    colours = [colorsys.hsv_to_rgb(c * _GOLDEN % 1.0, 0.75 - 0.3 * (c % 2), 1.0 - 0.2 * (c % 3)) for c in range(254)]
    return torch.tensor([(0.1, 0.1, 0.1), *colours, (1.0, 1.0, 1.0)])
