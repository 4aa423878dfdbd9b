"""From an index to a portrait: the order of the layers, and what is known about the picture without looking at it."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from . import palette
from .attributes import IDENTITY, class_label, draw_traits, encode
from .background import background
from .canvas import Canvas
from .clothes import paint_body
from .face import Layout, paint_brows, paint_eyes, paint_nose, paint_skin
from .glasses import paint_glasses
from .hair import paint_back_hair, paint_front_hair
from .hat import paint_hat
from .head import Head, Light, dome
from .mouth import paint_beard, paint_mouth
from .shapes import ellipse, lerp
from .unseen import unseen

HELD_OUT_START = 1_000_000
LANDMARKS = (
    "eye_left",
    "eye_right",
    "brow_left",
    "brow_right",
    "nose_tip",
    "mouth_left",
    "mouth_right",
    "mouth_centre",
    "chin",
)
EAR_TINT = palette.colour(1.0, 0.92, 0.90)  # ears are a little redder than the face


@dataclass(frozen=True)
class Portrait:
    """One rendered face and all that is true of it. Left and right are the picture's, not the person's."""

    image: np.ndarray  # float32 (3, 64, 64), RGB in [-1, 1], on 8-bit levels
    attributes: np.ndarray  # float32 (A,) in [0, 1], or beyond in unseen worlds, named by ATTRIBUTES
    identity: np.ndarray  # float32 (I,): the attributes that no variation changes, the first I of them
    label: int  # index into CLASSES
    segmentation: np.ndarray  # uint8 (64, 64), indices into SEGMENTS
    landmarks: np.ndarray  # float32 (L, 2): (x, y) in pixels, pixel centres at whole numbers, named by LANDMARKS


def render(index: int, variation: int = 0, worlds: Collection[str] = ()) -> Portrait:
    """Portrait number `index`: training pictures below HELD_OUT_START, held-out ones from there on.

    The same index with another `variation` is the same person in another pose, expression, light and place; with
    `worlds`, some of UNSEEN, the same picture with dyes, lights or poses that are in no training picture.
    """
    traits = unseen(draw_traits(index, variation), worlds)
    head, light = Head(traits), Light(traits)
    layout = Layout(traits, head)
    canvas = Canvas(background(traits))
    paint_back_hair(canvas, traits, head, light)
    paint_body(canvas, traits, head, light)
    near, far = (-1, 1) if head.yaw > 0 else (1, -1)
    _paint_ear(canvas, traits, head, light, far)
    if abs(head.yaw) < 0.12:
        _paint_ear(canvas, traits, head, light, near)
    paint_skin(canvas, traits, head, light, layout)
    if abs(head.yaw) >= 0.12:
        _paint_ear(canvas, traits, head, light, near)
    paint_beard(canvas, traits, head, light, layout)
    paint_nose(canvas, traits, head, light, layout)
    paint_mouth(canvas, traits, head, light, layout)
    paint_eyes(canvas, traits, head, light, layout)
    paint_brows(canvas, traits, head, light, layout)
    paint_front_hair(canvas, traits, head, light)
    paint_glasses(canvas, traits, head, light, layout)
    paint_hat(canvas, traits, head, light)
    attributes = encode(traits)
    return Portrait(
        image=canvas.finish(),
        attributes=attributes,
        identity=attributes[: len(IDENTITY)].copy(),
        label=class_label(traits),
        segmentation=canvas.segments,
        landmarks=_landmarks(head, layout),
    )


def _paint_ear(canvas, t, head, light, side):
    x = head.x - side * head.a * 0.99 * math.cos(head.yaw)
    size = lerp(0.85, 1.25, t.ears)
    ear = ellipse(x, head.y - 0.02 - 0.1 * head.b * math.sin(head.pitch), 0.062 * size, 0.115 * size)
    tone = palette.skin(t) * EAR_TINT
    canvas.fill(ear, tone * light.shade(*dome(x + side * 0.02, head.y - 0.02, 0.10, 0.16)), "skin")
    inner = ellipse(x, head.y - 0.03, 0.030 * size, 0.070 * size)
    canvas.fill(inner, tone * 0.68, None, 0.05, 0.5)


def _landmarks(head, layout):
    def at(u, v, rise=0.0):
        return head.to_pixels(u / head.a, v / head.b, rise)

    corner = layout.bend * 0.65
    return np.array(
        [
            at(-layout.eye_x, layout.eye_y),
            at(layout.eye_x, layout.eye_y),
            at(-layout.eye_x, layout.brow_y),
            at(layout.eye_x, layout.brow_y),
            at(layout.nose_x, layout.nose_tip_y),
            at(layout.mouth_x - layout.mouth_w, layout.mouth_y + corner),
            at(layout.mouth_x + layout.mouth_w, layout.mouth_y + corner),
            at(layout.mouth_x, layout.mouth_y),
            at(0.0, 0.98 * head.b),
        ],
        dtype=np.float32,
    )
