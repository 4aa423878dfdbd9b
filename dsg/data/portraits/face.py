"""Where the features of a face sit; skin, eyes, brows and nose, painted on the face so that they turn with the head."""

import math

import numpy as np

from . import palette
from .palette import colour
from .shapes import arc, circle, coverage, ellipse, hill, lens, lerp, smoothstep, stroke

WHITE = colour(0.97, 0.96, 0.95)


class Layout:
    """Where the features sit on one face, in face coordinates (lengths; the face is 2a wide and 2b high)."""

    def __init__(self, t, head):
        a, b = head.a, head.b
        self.eye_x, self.eye_y = a * lerp(0.36, 0.46, t.eye_spacing), b * lerp(-0.10, 0.00, t.eye_height)
        self.eye_w, self.eye_h = lerp(0.085, 0.125, t.eye_size), lerp(0.040, 0.066, t.eye_size)
        self.brow_y = self.eye_y - lerp(0.105, 0.145, t.brow_height) - 0.04 * (t.brow_raise - 0.3)
        self.nose_y, self.nose_w = self.eye_y + b * lerp(0.32, 0.44, t.nose_length), lerp(0.055, 0.095, t.nose_width)
        # The tip stands out from the face, so it slides further than the cheeks when the head turns.
        self.nose_x, self.nose_tip_y = 0.20 * a * math.tan(head.yaw), self.nose_y + 0.15 * b * math.tan(head.pitch)
        self.mouth_y, self.mouth_w = self.nose_y + b * 0.25, lerp(0.12, 0.18, t.mouth_width) + 0.035 * t.smile
        self.mouth_x = 0.5 * self.nose_x
        self.bend = lerp(0.028, -0.075, t.smile)
        self.gape = 0.075 * max(0.0, t.mouth_open - 0.45) / 0.55

    def bumps(self, t):
        """The relief of the face for `Head.normals`: (u, v, width, height, strength)."""
        mid = 0.5 * (self.eye_y + self.nose_y)
        cheek = 0.012 + 0.012 * t.smile
        return (
            (0.6 * self.nose_x, mid, 0.045, 0.10, 0.028),
            (self.nose_x, self.nose_tip_y, self.nose_w * 0.75, 0.05, 0.040),
            (-self.eye_x, self.eye_y - 0.01, 0.11, 0.07, -0.020),
            (self.eye_x, self.eye_y - 0.01, 0.11, 0.07, -0.020),
            (-self.eye_x * 1.25, self.nose_y, 0.11, 0.09, cheek),
            (self.eye_x * 1.25, self.nose_y, 0.11, 0.09, cheek),
            (self.mouth_x, self.mouth_y, 0.12, 0.06, 0.014),
            (0.0, self.mouth_y + 0.15, 0.09, 0.06, 0.016),
        )


def paint_skin(canvas, t, head, light, layout):
    u, v = head.u, head.v
    nx, ny, nz = head.normals(layout.bumps(t))
    skin = palette.skin(t)
    blush = lerp(0.05, 0.30, t.blush) * sum(
        hill(u - k * layout.eye_x * 1.3, v - layout.nose_y, 0.10, 0.08) for k in (-1, 1)
    )
    blush = blush + 0.15 * hill(u - layout.nose_x, v - layout.nose_tip_y, 0.06, 0.05)
    tone = skin + blush * (skin * colour(1.05, 0.68, 0.66) - skin)
    shade = light.shade(nx, ny, nz)
    lit = tone * shade + 0.16 * light.gloss(nx, ny, nz, 24)
    canvas.fill(head.outline, lit, "skin")
    if t.freckles > 0.7:
        speck = np.sin(61.0 * u + 9.0 * np.sin(37.0 * v)) * np.sin(53.0 * v + 7.0 * np.sin(41.0 * u))
        where = smoothstep(0.35, 0.8, speck) * hill(u, v - layout.nose_y + 0.04, 0.20, 0.08) * (t.freckles - 0.7) / 0.3
        canvas.paint(0.55 * where, lit * colour(0.72, 0.55, 0.45))
    if t.age > 0.55:
        _paint_lines(canvas, (t.age - 0.55) / 0.45, head, layout)


def _paint_lines(canvas, age, head, layout):
    u, v = head.u, head.v
    lines = np.zeros_like(u)
    for k in (-1, 1):
        fold = stroke(
            u,
            v,
            (k * layout.nose_w * 1.3 + layout.nose_x, layout.nose_y),
            (k * layout.mouth_w * 1.25, layout.mouth_y),
            0.004,
        )
        bag = arc(u - k * layout.eye_x, v - layout.eye_y - 0.10, 0.09, -0.025, 0.006)
        lines = np.maximum(lines, np.maximum(0.8 * coverage(fold, 0.05), 0.7 * coverage(bag, 0.04)))
    for k, width in enumerate((0.16, 0.20, 0.15)):
        crease = arc(u, v - layout.brow_y + 0.10 + 0.06 * k, width, 0.015, 0.005)
        lines = np.maximum(lines, 0.6 * coverage(crease, 0.035))
    canvas.darken(0.33 * age * lines)


def paint_eyes(canvas, t, head, light, layout):
    iris, dark = palette.ramp(palette.EYES, t.eye_colour), palette.hair(t) * 0.25
    skin, px = palette.skin(t), head.pixel
    # Most faces look with open eyes; only the lowest tenth blinks.
    openness = lerp(0.12, 0.6, t.eye_open / 0.1) if t.eye_open < 0.1 else lerp(0.75, 1.15, (t.eye_open - 0.1) / 0.9)
    up, down = layout.eye_h * openness, layout.eye_h * min(openness, 0.75) * lerp(1.0, 0.72, t.smile)
    shade = np.clip(light.shade(head.X, head.Y, head.z), 0.55, 1.15)
    for k in (-1, 1):
        x, y = head.u - k * layout.eye_x, head.v - layout.eye_y
        y = y + k * x * lerp(0.16, -0.12, t.eye_tilt)
        canvas.paint(0.35 * hill(x, y + 0.02, layout.eye_w, 0.06), skin * shade * colour(0.72, 0.62, 0.60))
        lids = lens(x, y, layout.eye_w, up, down)
        canvas.fill(lids, WHITE * shade * 0.97, "eyes", px)
        inside = coverage(lids, px)
        gx, gy = x - lerp(-0.028, 0.028, t.gaze_x), y - lerp(-0.010, 0.012, t.gaze_y) + 0.1 * (up - down)
        ball = circle(gx, gy, layout.eye_h * 0.98)
        canvas.paint(inside * coverage(ball, px), iris * (0.75 + 0.5 * smoothstep(-0.03, 0.05, gy)))
        canvas.paint(inside * coverage(np.abs(ball) - 0.006, px) * 0.5, iris * 0.3)
        canvas.paint(inside * coverage(circle(gx, gy, layout.eye_h * 0.45), px), colour(0.03, 0.03, 0.04))
        canvas.paint(inside * 0.35 * smoothstep(0.0, -up, y), dark)
        glint = circle(gx - 0.022 * light.direction[0] - 0.004, gy + 0.022, 0.013)
        canvas.paint(inside * 0.95 * coverage(glint, px), WHITE)
        lash = np.maximum(np.abs(y + up * (1.0 - (x / layout.eye_w) ** 2)) - 0.009, np.abs(x) - layout.eye_w * 1.04)
        canvas.paint(0.85 * coverage(lash, px), dark, "eyes")
        crease = arc(x, y + up + 0.035, layout.eye_w * 0.95, 0.03, 0.004)
        canvas.darken(0.28 * coverage(crease, px * 1.2))


def paint_brows(canvas, t, head, light, layout):
    tone = palette.hair(t) * 0.8 + palette.skin(t) * 0.08
    lit = tone * light.shade(head.X, head.Y, head.z)
    thick = lerp(0.012, 0.030, t.brow_thickness)
    for k in (-1, 1):
        x, y = head.u - k * layout.eye_x * 1.02, head.v - layout.brow_y
        # Knitted brows slope inwards, raised ones outwards.
        y = y - k * x * lerp(0.22, -0.28, t.brow_raise)
        brow = arc(x, y, layout.eye_w * 1.22, lerp(0.01, 0.055, t.brow_arch), thick)
        canvas.fill(brow, lit, "brows", head.pixel, 0.92)


def paint_nose(canvas, t, head, light, layout):
    skin, px = palette.skin(t), head.pixel
    u, v = head.u - layout.nose_x, head.v - layout.nose_tip_y
    shadow = skin * colour(0.62, 0.46, 0.42)
    side = 1.0 if light.direction[0] < 0 else -1.0
    canvas.paint(0.30 * hill(u - side * layout.nose_w * 0.9, v + 0.05, 0.022, 0.10), shadow * light.ambient)
    wings = arc(u, v - 0.030, layout.nose_w, -0.030, 0.013)
    canvas.paint(0.60 * coverage(wings, px * 1.3), shadow)
    for k in (-1, 1):
        canvas.paint(0.55 * coverage(ellipse(u - k * layout.nose_w * 0.48, v - 0.026, 0.018, 0.011), px), shadow * 0.45)
    canvas.paint(0.28 * light_spot(light) * hill(u - 0.012 * light.direction[0], v + 0.022, 0.020, 0.026), WHITE)
    # The nose as a segment: a wedge from between the eyes to the wings.
    reach = np.clip((v + (layout.nose_y - layout.eye_y)) / (layout.nose_y - layout.eye_y), 0.0, 1.1)
    lean = head.u - layout.nose_x * reach
    wedge = np.maximum(
        np.abs(lean) - layout.nose_w * (0.30 + 0.75 * reach**2), np.maximum(v - 0.045, layout.eye_y + 0.02 - head.v)
    )
    canvas.paint(0.51 * (wedge < 0), canvas.image, "nose")


def light_spot(light):
    return max(0.3, 1.0 - 0.5 * abs(light.direction[0]))
