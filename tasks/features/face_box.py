"""The part of a picture that a face's network looks at, from the box that a detector put around the face."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.types import Image
from tasks.features.preparation import Prepared
from tasks.operators import Operator

SCALE = 1.2


@dataclass(frozen=True)
class Window:
    """A square of pixels: rows top ≤ row < bottom, columns left ≤ column < right."""

    top: int
    bottom: int
    left: int
    right: int

    def check(self, height: int, width: int, whose: str) -> None:
        """Raise UserError if it goes beyond a picture, naming `whose` it is."""
        if not (0 <= self.top < self.bottom <= height and 0 <= self.left < self.right <= width):
            raise UserError(
                f"{whose}: the face's crop, rows {self.top}:{self.bottom} and columns {self.left}:{self.right}, is not "
                f"inside a picture of {height}x{width} (height x width); the box times {SCALE} has to be: take another "
                "box, or pictures with more around the face"
            )


def window_of(box: Sequence[float]) -> Window:
    """The window of FreeDoM's code around a box x1, y1, x2, y2[, score], in pixels:

        s = ⌊1.2·min(w, h)⌋ with w = x2 − x1 + 1, around (x1 + ⌊w/2⌋, y1 + ⌊h/2⌋), whole numbers by cutting.

    Raises:
        UserError: if it is no such box.
    """
    if len(box) not in (4, 5) or not all(abs(number) < 1e9 for number in box[:4]):
        raise UserError(f"face_box: must be x1, y1, x2, y2 in pixels, and perhaps a score, got {list(box)}")
    x1, y1, x2, y2 = box[:4]
    width, height = x2 - x1 + 1, y2 - y1 + 1
    if width < 1 or height < 1:
        raise UserError(f"face_box: needs x1 ≤ x2 and y1 ≤ y2, got {list(box)}")
    size = int(SCALE * min(width, height))
    left, top = x1 + width // 2 - size // 2, y1 + height // 2 - size // 2
    return Window(int(top), int(top + size), int(left), int(left + size))


def boxes_of(column: Tensor | list[str]) -> list[list[float]]:
    """The boxes of a column: of (B,4) or (B,5), or of texts like `30 40 200 220`, with spaces or commas.

    Six numbers or more are landmarks, x and y of each, (B,P,2): the box goes around them.

    Raises:
        UserError: for a text that is no numbers.
    """
    if isinstance(column, Tensor):
        return [_around(numbers) for numbers in column.reshape(len(column), -1).tolist()]
    try:
        return [_around([float(n) for n in re.split(r"[\s,;]+", text.strip(" []()"))]) for text in column]
    except ValueError:
        raise UserError(f"face_box: must be numbers like '30 40 200 220' in every line, got {column[0]!r}") from None


def _around(numbers: list[float]) -> list[float]:
    """A box, or that around landmarks."""
    if len(numbers) < 6 or len(numbers) % 2:
        return numbers
    across, down = numbers[0::2], numbers[1::2]
    return [min(across), min(down), max(across), max(down)]


@dataclass(frozen=True)
class Faces(Operator):
    """A(x) = f(p(x[window])), each image's own window: (B,C,H,W) → (B, ...).

    Args:
        network: f with its preparations p, which bring every window to one size.
        windows: one an image.
    """

    network: Prepared
    windows: tuple[Window, ...]

    def forward(self, x: Image) -> Tensor:
        like = next(self.network.parameters(), x)
        pictures = zip(x.to(like.dtype), self.windows, strict=True)
        cut = [picture[None, :, w.top : w.bottom, w.left : w.right] for picture, w in pictures]
        return self.network.answer(torch.cat([self.network.prepared(face) for face in cut]))
