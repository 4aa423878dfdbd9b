"""What samples are: pictures, vectors, or a medium of your own. The score model says which."""

from __future__ import annotations

from dsg.data.media.base import Medium
from dsg.data.media.pictures import Pictures
from dsg.data.media.vectors import Vectors

__all__ = ["Medium", "Pictures", "Vectors", "medium_of"]


def medium_of(shape: tuple[int, ...]) -> Medium:
    """The medium of states of `shape` where nobody says another: pictures if it is (1,H,W) or (3,H,W), else vectors."""
    return Pictures() if len(shape) == 3 and shape[0] in (1, 3) else Vectors()
