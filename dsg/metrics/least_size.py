"""Pictures that are too small to be measured: known from the model's images, before the first sample."""

from __future__ import annotations


def why_too_small(least_side: int, shape: tuple[int, ...]) -> str | None:
    """Why a metric cannot measure pictures of `shape`, in words; None if it can.

    Args:
        least_side: the least height and the least width in pixels that it takes.
        shape: (..., H, W).
    """
    height, width = shape[-2:]
    if min(height, width) >= least_side:
        return None
    return f"wants pictures of at least {least_side}x{least_side} pixels, and the model's are {width}x{height}"
