"""Colours, as float32 (3, 1, 1) arrays in [0, 1] that broadcast over a picture."""

import colorsys

import numpy as np

SKIN = (
    (0.34, 0.21, 0.15),
    (0.48, 0.31, 0.21),
    (0.64, 0.43, 0.30),
    (0.78, 0.56, 0.41),
    (0.91, 0.71, 0.57),
    (0.98, 0.84, 0.74),
)
HAIR = (
    (0.06, 0.05, 0.06),
    (0.17, 0.10, 0.07),
    (0.33, 0.19, 0.11),
    (0.45, 0.24, 0.13),
    (0.63, 0.34, 0.16),
    (0.76, 0.57, 0.33),
    (0.92, 0.82, 0.62),
)
EYES = (
    (0.20, 0.11, 0.06),
    (0.40, 0.23, 0.09),
    (0.45, 0.40, 0.15),
    (0.24, 0.47, 0.27),
    (0.25, 0.50, 0.68),
    (0.52, 0.63, 0.72),
)
DYES = {
    "pink": (0.93, 0.42, 0.62),
    "blue": (0.20, 0.45, 0.80),
    "green": (0.25, 0.62, 0.42),
    "violet": (0.52, 0.33, 0.75),
}
UNSEEN_DYES = {"yellow": (0.98, 0.92, 0.12), "scarlet": (0.90, 0.10, 0.08), "turquoise": (0.05, 0.85, 0.82)}


def colour(*rgb):
    return np.array(rgb, dtype=np.float32).reshape(3, 1, 1)


def hsv(hue, strength, value):
    return colour(*colorsys.hsv_to_rgb(hue % 1.0, strength, value))


def hue(red, green, blue):
    """The hue of a colour, in [0, 1)."""
    return colorsys.rgb_to_hsv(red, green, blue)[0]


def ramp(stops, q):
    """The colour at q in [0, 1] along evenly spaced stops."""
    position = q * (len(stops) - 1)
    first = min(int(position), len(stops) - 2)
    low, high = colour(*stops[first]), colour(*stops[first + 1])
    return low + (high - low) * (position - first)


def skin(traits):
    warmth = (traits.skin_warmth - 0.5) * 0.06
    return np.clip(ramp(SKIN, traits.skin_tone) + colour(warmth, 0.0, -warmth), 0.0, 1.0)


def hair(traits):
    base = ramp(HAIR, traits.hair_tone) if traits.dye == "natural" else colour(*(DYES | UNSEEN_DYES)[traits.dye])
    grey = max(0.0, traits.age - 0.6) / 0.4 * (0.85 if traits.dye == "natural" else 0.0)
    return base + (colour(0.74, 0.74, 0.76) - base) * grey
