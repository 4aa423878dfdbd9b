"""Mouth and beard."""

import numpy as np

from . import palette
from .palette import colour
from .shapes import PIXEL, arc, circle, coverage, ellipse, hill, lens, lerp


def paint_mouth(canvas, t, head, light, layout):
    skin, px, w = palette.skin(t), head.pixel, layout.mouth_w
    x, y = head.u - layout.mouth_x, head.v - layout.mouth_y
    q = np.clip(np.abs(x) / w, 0.0, 1.3)
    y = y - layout.bend * q * q + layout.bend * 0.35
    red = colour(0.80, 0.28, 0.32)
    lip = (skin * colour(0.95, 0.68, 0.66)) * (
        1.0 - 0.55 * t.lip_redness
    ) + red * skin.mean() * 1.15 * 0.55 * t.lip_redness
    shade = light.shade(head.X, head.Y, head.z)
    full, gape = lerp(0.020, 0.042, t.lip_fullness), layout.gape
    canvas.darken(0.25 * hill(x, y - gape - full * 1.9, w * 0.6, 0.016))
    canvas.fill(lens(x, y, w, full * 0.85, gape), lip * shade * 0.88, "mouth", px)
    lower = lens(x, y, w * 0.92, 0.0, gape + full * 1.15)
    canvas.fill(lower, lip * shade * (1.0 + 2.2 * np.clip(y - gape, 0.0, full) * 1.5), "mouth", px)
    if gape > 0.012:
        hole = lens(x, y, w * 0.88, 0.004, gape)
        canvas.fill(hole, colour(0.22, 0.05, 0.06), "mouth", px)
        canvas.paint(
            coverage(hole, px) * coverage(y - min(gape * 0.55, 0.03)),
            colour(0.97, 0.96, 0.95) * np.clip(shade, 0.6, 1.0) * 0.96,
        )
    else:
        canvas.fill(arc(x, y, w, 0.0, 0.010), lip * shade * 0.42, "mouth", px, 0.9)
    for k in (-1, 1):
        canvas.darken(0.30 * hill(x - k * w, y, 0.018, 0.018))


def paint_beard(canvas, t, head, light, layout):
    if t.beard == "none":
        return
    u, v, w = head.u - layout.mouth_x, head.v, layout.mouth_w
    tone, shade = palette.hair(t), light.shade(*head.normals())
    strands = 1.0 + 0.16 * np.sin(70.0 * u + 8.0 * np.sin(13.0 * v)) * np.sin(45.0 * v + 12.0 * u)
    lip_y = layout.mouth_y - 0.055
    moustache = arc(u, v - lip_y, w * 1.12, lerp(0.035, 0.075, t.beard_length), lerp(0.026, 0.042, t.beard_length))
    chin = ellipse(u, v - layout.mouth_y - 0.15, w * lerp(0.55, 0.9, t.beard_length), 0.10)
    # Cheeks stay bare above a line that climbs from the corners of the mouth to the ears.
    line = layout.mouth_y + 0.075 - np.abs(u) ** 2 * 2.1 / (head.a * head.a) * 0.26
    jaw = np.maximum(
        (line - v) * 0.7, ellipse(head.X * head.a, head.y, head.a * 1.02, head.b * lerp(1.0, 1.16, t.beard_length))
    )
    goatee = np.minimum(np.abs(circle(u, (v - layout.mouth_y) * 1.1, w * 1.12)) - 0.022, chin)
    shape = {
        "stubble": np.minimum(jaw, moustache),
        "moustache": moustache,
        "goatee": goatee,
        "full": np.minimum(jaw, moustache),
    }[t.beard]
    if t.beard == "stubble":
        canvas.fill(shape, palette.skin(t) * 0.35 * shade + tone * 0.35 * shade, "beard", 0.10, 0.52)
    else:
        canvas.fill(shape, tone * shade * strands, "beard", PIXEL * 1.6, 0.96)
