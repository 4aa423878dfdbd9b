"""OpenCV's resizing of 8-bit pictures, which FreeDoM's code reads references of landmarks by."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image as Pictures
from torch import Tensor

from tasks.features.face_box import Window

_ONE = 2048  # weights are whole numbers of so many parts


def bgr_crop(picture: Pictures.Image, window: Window, size: int = 256, side: int = 112) -> Tensor:
    """A reference as FreeDoM's network of landmarks sees it: (side,side,3) uint8, blue first.

    Args:
        picture: RGB.
        window: of the picture at `size`².
    """
    pixels = resized(np.array(picture)[..., ::-1], size)
    return torch.from_numpy(resized(pixels[window.top : window.bottom, window.left : window.right], side))


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Bilinear to (size,size,C) uint8, half-pixel centres, without antialias, in whole numbers as OpenCV computes it.

    Both directions are weighted in 2048ths; between them 4 bits are cut, after them 18 more, rounded.
    """
    first, second, part = _places(pixels.shape[1], size)
    weights = np.stack([_ONE - part, part])[:, None, :, None]
    rows = pixels[:, first].astype(np.int64) * weights[0] + pixels[:, second].astype(np.int64) * weights[1]
    first, second, part = _places(pixels.shape[0], size)
    above = ((rows[first] >> 4) * (_ONE - part)[:, None, None]) >> 16
    below = ((rows[second] >> 4) * part[:, None, None]) >> 16
    return ((above + below + 2) >> 2).clip(0, 255).astype(np.uint8)


def _places(length: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two neighbours of each new place, and the second one's weight in 2048ths."""
    at = ((np.arange(size) + 0.5) * (length / size) - 0.5).astype(np.float32)
    left = np.floor(at).astype(int)
    part = np.rint((at - left) * np.float32(_ONE)).astype(int)
    part[(left < 0) | (left >= length - 1)] = 0
    left = left.clip(0, length - 1)
    return left, (left + 1).clip(max=length - 1), part
