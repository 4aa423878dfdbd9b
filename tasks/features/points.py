"""Landmarks: from a network's own numbers to pixels of the picture, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tasks.features.face_box import Faces
from tasks.operators import Operator


def to_pixels(network: nn.Module, features: Tensor, operator: Operator, size: tuple[int, int]) -> Tensor:
    """x and y of each point, (B,2P) → (B,P,2), in pixels of a picture.

    A network without a method `to_pixels(features, height, width)` answers in pixels of what it sees.

    Args:
        operator: of the task: it says which part of the picture the network sees.
        size: H and W of the picture.
    """
    return _in_windows(getattr(network, "to_pixels", _pairs), features, operator, size, into_picture=True)


def from_pixels(network: nn.Module, points: Tensor, operator: Operator, size: tuple[int, int]) -> Tensor:
    """The other way, (B,P,2) → (B,2P), by the network's `from_pixels(points, height, width)`."""
    return _in_windows(getattr(network, "from_pixels", _flat), points, operator, size, into_picture=False)


def _in_windows(
    convert: Callable[[Tensor, int, int], Any],
    rows: Tensor,
    operator: Operator,
    size: tuple[int, int],
    into_picture: bool,
) -> Tensor:
    if not isinstance(operator, Faces):
        return convert(rows, *size)
    found = []
    for row, window in zip(rows.split(1), operator.windows, strict=True):
        corner, side = row.new_tensor([window.left, window.top]), window.bottom - window.top
        found.append(convert(row, side, side) + corner if into_picture else convert(row - corner, side, side))
    return torch.cat(found)


def _pairs(features: Tensor, height: int, width: int) -> Tensor:
    return features.reshape(len(features), -1, 2)


def _flat(points: Tensor, height: int, width: int) -> Tensor:
    return points.flatten(1)
