"""What tasks ask of the shape of an image."""

from __future__ import annotations

from dsg.errors import UserError


def height_and_width(shape: tuple[int, ...], task: str) -> tuple[int, int]:
    """(H,W) of images of `shape`.

    Raises:
        UserError: if `shape` is not (C,H,W).
    """
    if len(shape) != 3:
        raise UserError(f"{task}: needs images of shape (C,H,W), got {tuple(shape)}: choose another model or task")
    return shape[-2], shape[-1]
