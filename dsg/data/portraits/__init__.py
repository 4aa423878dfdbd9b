"""A world of painted portraits: faces made from numbers, so that everything about each picture is known exactly."""

from .attributes import ATTRIBUTES, CLASSES, IDENTITY
from .canvas import SEGMENTS
from .captions import Caption, caption, named_in
from .render import HELD_OUT_START, LANDMARKS, Portrait, render
from .unseen import UNSEEN

__all__ = [
    "ATTRIBUTES", "CLASSES", "HELD_OUT_START", "IDENTITY", "LANDMARKS", "SEGMENTS", "UNSEEN", "Caption", "Portrait",
    "caption", "named_in", "render",
]  # fmt: skip
