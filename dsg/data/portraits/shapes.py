"""Signed distances (negative inside) and the soft edges made of them.

Coordinates: x to the right and y down from the middle of the picture, which reaches EXTENT to each side.
Arrays are float32 (64, 64).
"""

import numpy as np

SIZE = 64
EXTENT = 0.86
PIXEL = 2.0 * EXTENT / SIZE

_axis = (np.arange(SIZE, dtype=np.float32) + 0.5) * PIXEL - EXTENT
GRID_Y, GRID_X = (np.ascontiguousarray(g) for g in np.meshgrid(_axis, _axis, indexing="ij"))


def coverage(distance, width=PIXEL):
    """How much of each pixel lies inside, in [0, 1]: a linear ramp `width` wide, which anti-aliases every edge."""
    return np.clip(0.5 - distance / width, 0.0, 1.0)


def smoothstep(low, high, x):
    """0 below `low`, 1 above `high`, smooth between."""
    q = np.clip((x - low) / (high - low), 0.0, 1.0)
    return q * q * (3.0 - 2.0 * q)


def lerp(low, high, q):
    """The number a fraction q of the way from `low` to `high`."""
    return low + (high - low) * q


def circle(x, y, radius):
    return np.sqrt(x * x + y * y) - radius


def ellipse(x, y, a, b):
    """First-order distance to an ellipse of half-axes a, b: exact enough within a few pixels of the edge."""
    p, q = x / a, y / b
    r = np.sqrt(p * p + q * q)
    slope = np.sqrt((p / a) ** 2 + (q / b) ** 2)
    return r * (r - 1.0) / np.maximum(slope, 1e-4)


def box(x, y, a, b, radius=0.0):
    """A rectangle of half-sides a, b with rounded corners."""
    p, q = np.abs(x) - (a - radius), np.abs(y) - (b - radius)
    outside = np.sqrt(np.maximum(p, 0.0) ** 2 + np.maximum(q, 0.0) ** 2)
    return outside + np.minimum(np.maximum(p, q), 0.0) - radius


def stroke(x, y, start, end, radius):
    """A line from `start` to `end` with round ends."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    p, q = x - start[0], y - start[1]
    along = np.clip((p * dx + q * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    return np.sqrt((p - along * dx) ** 2 + (q - along * dy) ** 2) - radius


def lens(x, y, width, up, down):
    """An almond between two parabolas that meet at x = -width and x = width; `up` above and `down` below the axis."""
    q = 1.0 - (x / width) ** 2
    steep = 2.0 * max(up, down) / (width * width) * x
    return np.maximum(-up * q - y, y - down * q) / np.sqrt(1.0 + steep * steep)


def arc(x, y, width, bend, thickness):
    """A stroke along y = bend (x / width)^2 that thins towards its ends."""
    q = x / width
    taper = thickness * np.sqrt(np.clip(1.0 - q * q, 0.0, 1.0))
    return np.maximum(np.abs(y - bend * q * q) - taper, np.abs(x) - width)


def hill(x, y, a, b):
    """A Gaussian of height 1 and standard deviations a, b."""
    return np.exp(-0.5 * ((x / a) ** 2 + (y / b) ** 2))


def blend(d1, d2, radius):
    """The union of two shapes with the crease between them rounded over about `radius`."""
    h = np.clip(0.5 + 0.5 * (d2 - d1) / radius, 0.0, 1.0)
    return d2 + (d1 - d2) * h - radius * h * (1.0 - h)
