"""The head as a lit ellipsoid: where each pixel falls on the face when the head turns, and how bright it is there."""

import math

import numpy as np

from .shapes import EXTENT, GRID_X, GRID_Y, PIXEL, ellipse, hill, lerp, smoothstep

PIVOT = 0.55  # the point of the neck about which the head rolls, below its centre
CENTRE_Y = -0.01


class Light:
    """One soft key light and an ambient glow; `shade` turns surface normals into a colour factor (3, 64, 64)."""

    def __init__(self, traits):
        azimuth, height = lerp(-1.25, 1.25, traits.light_azimuth), lerp(-0.1, 1.0, traits.light_height)
        self.direction = (math.sin(azimuth) * math.cos(height), -math.sin(height), math.cos(azimuth) * math.cos(height))
        contrast, warmth, level = traits.light_contrast, traits.light_warmth - 0.5, lerp(0.88, 1.12, traits.light_level)
        tint = np.array((1.0 + 0.20 * warmth, 1.0, 1.0 - 0.30 * warmth), dtype=np.float32).reshape(3, 1, 1)
        self.key = tint * (level * lerp(0.45, 0.85, contrast))
        # Shadows take the opposite tint of the key, as they do under an open sky.
        self.ambient = (2.0 - tint) * (level * lerp(0.64, 0.36, contrast))

    def shade(self, nx, ny, nz, wrap=0.3):
        lx, ly, lz = self.direction
        toward = np.clip((nx * lx + ny * ly + nz * lz + wrap) / (1.0 + wrap), 0.0, 1.0)
        return self.ambient + self.key * toward

    def gloss(self, nx, ny, nz, power):
        """A highlight (64, 64) where the normal lies half-way between the light and the viewer."""
        lx, ly, lz = self.direction
        scale = 1.0 / math.sqrt(lx * lx + ly * ly + (lz + 1.0) ** 2)
        return np.clip((nx * lx + ny * ly + nz * (lz + 1.0)) * scale, 0.0, 1.0) ** power


class Head:
    """Coordinates of one posed head.

    x, y: the picture turned upright about the head. X, Y, z: the same on the unit sphere of the head.
    U, V: on the unit sphere turned with the face; u, v: those as lengths, in which the features are drawn.
    """

    def __init__(self, traits):
        t = traits
        self.a, self.b = lerp(0.38, 0.46, t.face_width), lerp(0.51, 0.58, t.face_length)
        self.jaw = lerp(0.08, 0.30, t.jaw)
        self.yaw, self.pitch, self.roll = (
            lerp(-0.55, 0.55, t.yaw),
            lerp(-0.22, 0.22, t.pitch),
            lerp(-0.22, 0.22, t.roll),
        )
        c, s = math.cos(self.roll), math.sin(self.roll)
        px, py = GRID_X, GRID_Y - (CENTRE_Y + PIVOT)
        self.x, self.y = c * px + s * py, c * py - s * px + PIVOT
        self.X, self.Y = self.x / (self.a * self._taper(self.y)), self.y / self.b
        self.z = np.sqrt(np.clip(1.0 - self.X**2 - self.Y**2, 0.0, 1.0))
        self.outline = ellipse(self.X * self.a, self.y, self.a, self.b)
        U, V = self._unturn(self.X, self.Y, self.z)
        self.U, self.V, self.u, self.v = U, V, U * self.a, V * self.b
        # A pixel covers more of the face where it curves away; edges painted on the face widen by as much.
        steps = [np.gradient(f, axis=k) for f in (self.u, self.v) for k in (0, 1)]
        self.pixel = np.clip(np.sqrt(sum(g * g for g in steps) / 2.0), 0.8 * PIXEL, 2.5 * PIXEL)

    def _taper(self, y):
        return 1.0 - self.jaw * smoothstep(-0.1, 1.25, y / self.b)

    def _unturn(self, X, Y, z):
        c, s, cp, sp = math.cos(self.yaw), math.sin(self.yaw), math.cos(self.pitch), math.sin(self.pitch)
        depth = s * X + c * z
        return c * X - s * z, cp * Y - sp * depth

    def to_pixels(self, U, V, rise=0.0):
        """Where the face point (U, V) of the unit sphere, `rise` above it, lies in the picture: (x, y) in pixels."""
        c, s, cp, sp = math.cos(self.yaw), math.sin(self.yaw), math.cos(self.pitch), math.sin(self.pitch)
        depth = math.sqrt(max(0.0, 1.0 - U * U - V * V)) + rise
        Y, depth = cp * V + sp * depth, cp * depth - sp * V
        X = c * U + s * depth
        y = Y * self.b
        x, y = X * self.a * float(self._taper(y)), y - PIVOT
        c, s = math.cos(self.roll), math.sin(self.roll)
        x, y = c * x - s * y, s * x + c * y + CENTRE_Y + PIVOT
        return (x + EXTENT) / PIXEL - 0.5, (y + EXTENT) / PIXEL - 0.5

    def normals(self, bumps=()):
        """Unit normals of the ellipsoid, tilted by Gaussian bumps (u, v, width, height, strength) on the face."""
        nx, ny, nz = self.X, self.Y, self.z + 0.25
        for u, v, a, b, strength in bumps:
            du, dv = self.u - u, self.v - v
            h = strength * hill(du, dv, a, b)
            nx, ny = nx + h * du / (a * a), ny + h * dv / (b * b)
        length = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz)
        return nx * length, ny * length, nz * length


def dome(x, y, a, b):
    """Unit normals of a plain ellipsoid of half-axes a, b, flattened beyond its edge."""
    nx, ny = x / a, y / b
    nz = np.sqrt(np.clip(1.0 - nx * nx - ny * ny, 0.0, 1.0)) + 0.25
    length = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz)
    return nx * length, ny * length, nz * length
