"""What lies behind the head: (3, 64, 64) in [0, 1]."""

import math

import numpy as np

from .palette import hsv
from .shapes import GRID_X, GRID_Y, circle, coverage, lerp, smoothstep


def background(t):
    near, far = near_colour(t), far_colour(t)
    angle, phase = t.background_angle * 2.0 * math.pi, t.background_phase * 2.0 * math.pi
    along = math.cos(angle) * GRID_X + math.sin(angle) * GRID_Y
    mix = {"gradient": _gradient, "halo": _halo, "stripes": _stripes, "blobs": _blobs, "horizon": _horizon}[
        t.background
    ]
    return near + (far - near) * mix(along, angle, phase)


def near_colour(t):
    return hsv(t.background_hue, lerp(0.06, 0.60, t.background_strength), lerp(0.30, 0.95, t.background_light))


def far_colour(t):
    hue = t.background_hue + lerp(-0.25, 0.25, t.background_hue_2)
    return hsv(hue, lerp(0.06, 0.50, t.background_strength), lerp(0.25, 0.95, t.background_light_2))


def _gradient(along, angle, phase):
    return smoothstep(-1.1, 1.1, along)


def _halo(along, angle, phase):
    return smoothstep(0.25, 1.35, np.sqrt((GRID_X - 0.3 * math.cos(angle)) ** 2 + (GRID_Y + 0.15) ** 2))


def _stripes(along, angle, phase):
    return 0.65 * smoothstep(-0.25, 0.25, np.sin((6.0 + 6.0 * phase / (2.0 * math.pi)) * along + phase))


def _blobs(along, angle, phase):
    """Out-of-focus lights, spread by the golden angle so that they never pile up."""
    mix = 0.2 * smoothstep(-1.2, 1.2, GRID_Y)
    for k in range(9):
        turn, reach = angle + 2.39996 * k, 0.45 + 0.085 * k
        x, y = reach * math.cos(turn) * 1.1, reach * math.sin(turn) - 0.1
        radius = 0.13 + 0.09 * math.sin(phase + 2.0 * k)
        mix = mix + (0.35 + 0.25 * math.sin(phase * 2.0 + k)) * coverage(circle(GRID_X - x, GRID_Y - y, radius), 0.1)
    return np.clip(mix, 0.0, 1.0)


def _horizon(along, angle, phase):
    level = 0.25 * math.sin(phase)
    ridge = level + 0.12 * np.sin(2.2 * GRID_X + phase) + 0.06 * np.sin(5.1 * GRID_X + angle)
    return 0.85 * coverage(ridge - GRID_Y, 0.08) + 0.15 * smoothstep(-1.0, 1.0, GRID_Y)
