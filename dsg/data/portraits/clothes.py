"""Neck, shoulders and the clothes on them."""

import numpy as np

from . import palette
from .head import CENTRE_Y, dome
from .palette import colour, hsv
from .shapes import GRID_X, GRID_Y, box, coverage, ellipse, lerp, smoothstep, stroke


def cloth_colour(t):
    if t.clothes == "suit":
        return hsv(t.clothes_hue, 0.30 * t.clothes_strength, lerp(0.13, 0.42, t.clothes_light))
    return hsv(t.clothes_hue, lerp(0.10, 0.75, t.clothes_strength), lerp(0.20, 0.92, t.clothes_light))


def paint_body(canvas, t, head, light):
    """Neck, shoulders and what covers them; they stay upright while the head rolls."""
    x, y, skin = GRID_X, GRID_Y, palette.skin(t)
    chin = CENTRE_Y + head.b
    neck_w = head.a * lerp(0.46, 0.62, t.neck_width)
    neck = box(x, y - 0.55, neck_w + 0.10 * smoothstep(0.55, 0.85, y), 0.45, 0.05)
    neck_shade = light.shade(*dome(x, 0.0 * y + 0.1, neck_w * 1.3, 1.0))
    under_chin = 0.50 * smoothstep(chin + 0.20, chin - 0.08, y)
    skin_lit = skin * neck_shade * (1.0 - under_chin) * colour(0.98, 0.95, 0.93)

    width = lerp(0.72, 0.98, t.shoulders)
    body = ellipse(x, y - 1.30, width, 1.30 - (chin + 0.13))
    base = cloth_colour(t)
    cloth = base * light.shade(*dome(x, y - 1.25, width * 1.15, 0.85))
    if t.pattern == "stripes" and t.clothes != "suit":
        cloth = cloth * (1.0 - 0.32 * (np.sin(24.0 * y + 3.0 * np.abs(x)) > 0.1))
    elif t.pattern == "checks" and t.clothes != "suit":
        cloth = cloth * (1.0 - 0.20 * (np.sin(19.0 * x) > 0.2) - 0.20 * (np.sin(19.0 * y) > 0.2))
    canvas.fill(body, cloth, "clothes")

    if t.clothes == "turtleneck":
        canvas.fill(np.maximum(neck, y - chin - 0.10), skin_lit, "skin")
        roll = box(x, y - chin - 0.17, neck_w + 0.03, 0.15, 0.05)
        folds = 1.0 - 0.18 * smoothstep(0.2, 0.8, np.sin(30.0 * y))
        canvas.fill(roll, base * neck_shade * folds * (1.0 - 0.6 * under_chin), "clothes")
        return
    if t.clothes == "vneck":
        open_neck = np.maximum((y - chin - 0.42) * 0.85 + 1.15 * np.abs(x), 0.02 - (y - 0.4))
    else:
        open_neck = ellipse(x, y - chin - 0.13, neck_w + 0.05, 0.10)
    if t.clothes == "suit":
        shirt = (y - chin - 0.62) * 0.7 + 0.75 * np.abs(x)
        canvas.paint(coverage(shirt) * coverage(body), colour(0.92, 0.92, 0.93) * neck_shade, "clothes")
        tie = np.maximum(np.abs(x) - 0.035 - 0.06 * smoothstep(0.75, 1.0, y), chin + 0.19 - y)
        canvas.fill(tie, hsv(t.clothes_hue + 0.45, 0.65, 0.60) * neck_shade, "clothes")
        open_neck = ellipse(x, y - chin - 0.08, neck_w, 0.09)
    throat = np.minimum(np.maximum(neck, y - chin - 0.15), np.maximum(open_neck, body))
    canvas.fill(throat, skin_lit, "skin")
    canvas.darken(0.25 * coverage(np.abs(open_neck) - 0.006, 0.05) * coverage(body))
    if t.clothes in ("collar", "suit"):
        flap = colour(0.93, 0.93, 0.94) if t.clothes == "suit" else np.minimum(base * 1.18 + 0.04, 1.0)
        for k in (-1, 1):
            p, q = k * x, y
            wing = stroke(p, q, (neck_w * 0.98, chin + 0.07), (neck_w * 0.35, chin + 0.24), 0.042)
            canvas.darken(0.25 * coverage(wing - 0.012, 0.05))
            canvas.fill(wing, flap * neck_shade, "clothes")
        if t.clothes == "collar":
            canvas.darken(0.35 * coverage(np.maximum(np.abs(x) - 0.006, chin + 0.26 - y)))
