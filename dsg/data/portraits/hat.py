"""Hats: beanie, cap, fedora and beret."""

import numpy as np

from .head import dome
from .palette import hsv
from .shapes import box, circle, coverage, ellipse, lerp, smoothstep, stroke


def hat_colour(t):
    return hsv(t.hat_hue, lerp(0.15, 0.80, t.hat_strength), lerp(0.22, 0.90, t.hat_light))


def paint_hat(canvas, t, head, light):
    if t.hat == "none":
        return
    x, y, a, b = head.x, head.y, head.a, head.b
    base = hat_colour(t)
    tall, turn = lerp(0.9, 1.25, t.hat_height), np.sin(head.yaw)
    edge = -0.50 * b + 0.10 * b * np.sin(-head.pitch)
    # The rim runs around the head: nearer the viewer it bends down or up with the pitch.
    rim = edge + (0.12 * np.sin(head.pitch) - 0.014) * (x / a) ** 2
    nx, ny, nz = dome(x, y + 0.45 * b, a * 1.25, b * 0.95)
    lit = base * light.shade(nx, ny, nz)
    inside = coverage(head.outline)
    canvas.darken(0.42 * inside * smoothstep(rim + 0.16, rim, y))
    if t.hat == "beanie":
        crown = np.maximum(ellipse(x, y + 0.40 * b, a * 1.13, b * 0.78 * tall), y - rim)
        ribs = 1.0 - 0.12 * (np.sin(30.0 * np.arctan2(x, y + 2.2 * b) * 1.6) > 0.0)
        canvas.fill(crown, lit * ribs, "hat")
        band = box(x, y - rim + 0.05, a * 1.15, 0.085, 0.05)
        canvas.darken(0.2 * coverage(band - 0.015, 0.05) * coverage(crown))
        canvas.fill(band, lit * 0.88 * (1.0 - 0.15 * (np.sin(44.0 * x) > 0.2)), "hat")
        canvas.fill(
            circle(x + 0.1 * turn, y + (0.40 + 0.78 * tall) * b + 0.04, 0.085 + 0.012 * tall),
            lit * 1.15 + 0.05,
            "hat",
            0.05,
        )
    elif t.hat == "cap":
        crown = np.maximum(ellipse(x, y + 0.38 * b, a * 1.12, b * 0.74 * tall), y - rim - 0.02)
        canvas.fill(crown, lit, "hat")
        canvas.darken(0.22 * coverage(np.abs(x - 0.35 * turn * a) - 0.006, 0.04) * coverage(crown))
        canvas.darken(
            0.18 * coverage(np.abs(x - 0.8 * turn * a + 0.28 * (y + 0.5 * b)) - 0.3 * a, 0.04) * coverage(crown) * 0.6
        )
        peak_x = x - 0.62 * a * turn
        peak = np.maximum(ellipse(peak_x, y - rim + 0.02, a * 0.98, 0.135), -(y - rim + 0.075))
        canvas.darken(0.30 * inside * coverage(peak - 0.03, 0.09))
        canvas.fill(peak, lit * 0.78, "hat")
        canvas.fill(circle(x - 0.75 * turn * a, y - rim + 0.20, 0.055), np.minimum(lit * 0.4 + 0.5, 1.0), "hat", 0.05)
    elif t.hat == "fedora":
        crown = np.maximum(box(x - 0.05 * x * y, y + 0.92 * b, a * 0.98, 0.36 * b * tall, 0.14), y - rim)
        dent = 0.06 * np.exp(-((x / (0.35 * a)) ** 2))
        crown = np.maximum(crown, -(y + 0.92 * b + 0.36 * b * tall - dent))
        canvas.fill(crown, lit, "hat")
        canvas.paint(coverage(np.abs(y - rim + 0.10) - 0.045) * coverage(crown), base * 0.35 * light.shade(nx, ny, nz))
        brim = ellipse(x - 0.05 * turn, y - rim + 0.05 * (x / a) ** 2, a * 1.62, 0.085)
        canvas.darken(0.25 * inside * coverage(brim - 0.03, 0.09))
        canvas.fill(brim, lit * (0.80 + 1.5 * np.clip(rim - y, 0.0, 0.1)), "hat")
    else:
        tilt = 0.22 if t.parting > 0.5 else -0.22
        crown = ellipse(x - tilt * 0.6, y + 0.78 * b + tilt * x, a * 1.28, 0.34 * b * tall)
        canvas.darken(0.2 * inside * coverage(crown - 0.03, 0.1))
        canvas.fill(crown, lit * (1.0 - 0.25 * smoothstep(-0.75 * b, -0.5 * b, y + tilt * x)), "hat")
        canvas.fill(np.maximum(np.abs(y - rim + 0.01 + 0.3 * tilt * x) - 0.035, np.abs(x) - a * 1.0), lit * 0.5, "hat")
        top = -(0.78 + 0.34 * tall) * b - 0.6 * tilt * tilt
        canvas.fill(stroke(x, y, (tilt * 0.6, top + 0.02), (tilt * 0.7, top - 0.06), 0.018), lit * 0.8, "hat")
