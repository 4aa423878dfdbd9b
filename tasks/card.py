"""Asked in words: a grey card with a text on it, where a measurement is no picture."""

from __future__ import annotations

import textwrap

import numpy as np
from PIL import Image as Pictures
from PIL import ImageDraw
from torch import Tensor

from dsg.data.image_file import from_uint8

_LETTER, _LINE = 6, 14  # pixels of the usual font, about


def card(text: str, side: int = 64) -> Tensor:
    """(3,side,side) in [−1, 1]: the text in the middle, broken between words; what has no room is cut."""
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, side // _LETTER)]
    if len(lines) > (room := side // _LINE):
        lines = [*lines[: room - 1], lines[room - 1][: side // _LETTER - 1] + "…"]
    picture, middle = Pictures.new("RGB", (side, side), (128, 128, 128)), (side // 2, side // 2)
    ImageDraw.Draw(picture).text(middle, "\n".join(lines), fill=(255, 255, 255), anchor="mm", align="center")
    return from_uint8(np.asarray(picture))
