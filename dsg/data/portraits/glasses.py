"""Glasses: two rims, a bridge and two arms, drawn on the face so that they turn with it."""

import numpy as np

from .palette import colour, hsv
from .shapes import box, circle, coverage, ellipse, lerp, smoothstep


def paint_glasses(canvas, t, head, light, layout):
    if t.glasses == "none":
        return
    px, size = head.pixel, lerp(0.135, 0.165, t.glasses_size)
    frame = (
        hsv(t.glasses_hue, 0.65, 0.45)
        if t.glasses_hue < 0.45
        else colour(0.08, 0.08, 0.10) * (1.0 + 3.0 * (t.glasses_hue - 0.45))
    )
    if t.glasses == "round":
        frame = colour(0.66, 0.52, 0.22) if t.glasses_hue > 0.7 else frame
    y = head.v - layout.eye_y - 0.012
    wire = {"round": 0.011, "square": 0.017, "browline": 0.009, "sun": 0.014}[t.glasses]
    rims = []
    for k in (-1, 1):
        x = head.u - k * max(layout.eye_x, size + 0.012)
        if t.glasses == "round":
            rim = circle(x, y, size * 0.95)
        elif t.glasses == "sun":
            rim = ellipse(x, y - 0.005 - 0.10 * k * x, size * 1.08, size * 0.88)
        else:
            rim = box(x, y, size * 1.02, size * 0.74, 0.05)
        rims.append(rim)
        lens_cover = coverage(rim, px)
        if t.glasses == "sun":
            tint = hsv(t.glasses_hue, 0.45, 0.16) * (1.0 + 1.2 * smoothstep(-size, size, y))
            canvas.paint(0.93 * lens_cover, tint, "glasses")
            canvas.paint(0.30 * lens_cover * coverage(np.abs(x + y + 0.03) - 0.018, 0.04), colour(1.0, 1.0, 1.0))
        else:
            canvas.paint(0.13 * lens_cover, colour(0.86, 0.93, 0.98))
            canvas.paint(0.28 * lens_cover * coverage(np.abs(x + 0.9 * y + 0.07) - 0.014, 0.03), colour(1.0, 1.0, 1.0))
    half = max(layout.eye_x, size + 0.012)
    parts = np.minimum(np.abs(rims[0]) - wire, np.abs(rims[1]) - wire)
    bridge = np.maximum(np.abs(y + 0.035 - 6.0 * head.u**2 * 0.15) - wire, np.abs(head.u) - (half - size * 0.9))
    arms = np.maximum(np.abs(y + 0.03) - wire * 1.1, half + size * 0.95 - np.abs(head.u))
    arms = np.maximum(arms, head.outline - 0.01)
    parts = np.minimum(np.minimum(parts, bridge), arms)
    if t.glasses == "browline":
        for rim in rims:
            parts = np.minimum(parts, np.maximum(np.abs(rim) - 0.030, y + 0.045))
    canvas.darken(0.16 * coverage(parts - 0.012, 0.07))
    canvas.fill(parts, frame * np.clip(light.shade(*head.normals()), 0.6, 1.3), "glasses", px)
