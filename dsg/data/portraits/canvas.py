"""A picture under the brush: paint goes on in layers, and the segmentation remembers which layer covers each pixel."""

import numpy as np

from .shapes import PIXEL, SIZE, coverage

SEGMENTS = ("background", "skin", "hair", "beard", "eyes", "brows", "nose", "mouth", "glasses", "hat", "clothes")


class Canvas:
    """`image`: float32 (3, 64, 64) in [0, 1] while painting; `segments`: uint8 (64, 64), indices into SEGMENTS."""

    def __init__(self, background):
        self.image = np.array(np.broadcast_to(background, (3, SIZE, SIZE)), dtype=np.float32)
        self.segments = np.zeros((SIZE, SIZE), dtype=np.uint8)

    def paint(self, cover, colour, segment=None):
        """Lay `colour` (3, 1, 1) or (3, 64, 64) over the picture where `cover` (64, 64) says.

        Without a `segment` the pixels still belong to what lay below.
        """
        self.image += cover * (colour - self.image)
        if segment is not None:
            self.segments[cover > 0.5] = SEGMENTS.index(segment)

    def fill(self, distance, colour, segment=None, width=PIXEL, opacity=1.0):
        """Paint the inside of a signed distance."""
        cover = coverage(distance, width)
        self.paint(cover if opacity == 1.0 else cover * opacity, colour, segment if opacity > 0.5 else None)

    def darken(self, amount):
        """A shadow: multiply by 1 - amount, `amount` (64, 64) in [0, 1]."""
        self.image *= 1.0 - amount

    def finish(self):
        """The picture in [-1, 1], rounded to the 8-bit levels of a PNG so that saving it loses nothing."""
        levels = np.rint(np.clip(self.image, 0.0, 1.0) * 255.0)
        return (levels / np.float32(127.5) - np.float32(1.0)).astype(np.float32)
