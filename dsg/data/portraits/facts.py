"""What can be said of a portrait in words: the facts that are clearly seen in 64x64 pixels, and no others.

A trait that is a number becomes a word only where it is far from the next word's range; what is hidden, or too faint
to see, is no fact.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np

from . import palette
from .background import far_colour, near_colour
from .clothes import cloth_colour
from .hat import hat_colour

COLOURS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "grey", "white")
VALUES: dict[str, tuple[str, ...]] = {
    "skin": ("dark", "tan", "fair"),
    "age": ("old",),
    "hair": ("short", "parted", "long", "fringe", "curly", "bun", "buzz", "bald"),
    "hair_colour": ("black", "brown", "ginger", "blond", "grey", "pink", "blue", "green", "violet"),
    "beard": ("none", "moustache", "goatee", "full"),
    "eyewear": ("none", "glasses", "sunglasses"),
    "rims": ("round", "square"),
    "hat": ("none", "beanie", "cap", "fedora", "beret"),
    "hat_colour": COLOURS,
    "clothes": ("crew", "vneck", "collar", "turtleneck", "suit"),
    "clothes_colour": COLOURS,
    "smile": ("smiling", "frowning"),
    "mouth": ("open", "closed"),
    "turn": ("left", "right", "front"),
    "light": ("left", "right", "soft"),
    "place": ("gradient", "halo", "stripes", "blobs", "horizon"),
    "place_colour": COLOURS,
}
BESIDE_A_HAT = ("long", "curly")  # the hair that shows what it is below one
SEEN = 0.2  # distance of two RGB colours in [0, 1] that are told apart at a glance
_HUES = (
    ("red", -0.03, 0.03),
    ("orange", 0.055, 0.105),
    ("yellow", 0.135, 0.185),
    ("green", 0.24, 0.42),
    ("turquoise", 0.46, 0.525),
    ("blue", 0.56, 0.68),
    ("purple", 0.73, 0.80),
    ("pink", 0.84, 0.93),
)


def facts(traits: SimpleNamespace) -> dict[str, str]:
    """The clear facts of a portrait's traits: some names of VALUES, each with one of its values."""
    told = {
        "skin": _range(traits.skin_tone, ("dark", 0.0, 0.30), ("tan", 0.38, 0.60), ("fair", 0.70, 1.0)),
        "age": _range(traits.age, ("old", 0.85, 1.0)),
        "smile": _range(traits.smile, ("frowning", 0.0, 0.13), ("smiling", 0.65, 1.0)),
        "mouth": _range(traits.mouth_open, ("closed", 0.0, 0.47), ("open", 0.75, 1.0)),
        "turn": _range(traits.yaw, ("left", 0.0, 0.22), ("front", 0.42, 0.58), ("right", 0.78, 1.0)),
        "light": _light(traits),
        "eyewear": {"none": "none", "sun": "sunglasses"}.get(traits.glasses, "glasses"),
        "rims": traits.glasses if traits.glasses in VALUES["rims"] else None,
        "clothes": traits.clothes,
        "clothes_colour": None if traits.clothes == "suit" else colour_name(cloth_colour(traits)),
        **_hat(traits),
        **_hair(traits),
        **_place(traits),
    }
    return {name: value for name, value in told.items() if value is not None}


def colour_name(rgb: np.ndarray) -> str | None:
    """One of COLOURS for a colour (3,1,1) in [0, 1], or None where people would disagree."""
    red, green, blue = (float(v) for v in rgb.ravel())
    high, spread = max(red, green, blue), max(red, green, blue) - min(red, green, blue)
    strength = spread / high if high else 0.0
    if strength < 0.14:
        return _range(high, ("grey", 0.35, 0.68), ("white", 0.80, 1.01))
    if strength < 0.36 or high < 0.40:
        return None
    hue = palette.hue(red, green, blue)
    hue = hue - 1.0 if hue > 0.95 else hue
    name = _range(hue, *_HUES)
    return None if name in ("orange", "yellow") and high < 0.62 else name  # dark ones are brown and olive


def _range(value: float, *ranges: tuple[str, float, float]) -> str | None:
    return next((name for name, low, high in ranges if low <= value <= high), None)


def _light(t: SimpleNamespace) -> str | None:
    if t.light_contrast < 0.15:
        return "soft"
    if t.light_contrast < 0.45 or t.light_height > 0.8:
        return None
    return _range(t.light_azimuth, ("left", 0.0, 0.24), ("right", 0.76, 1.0))


def _hat(t: SimpleNamespace) -> dict[str, str | None]:
    return {"hat": t.hat, "hat_colour": None if t.hat == "none" else colour_name(hat_colour(t))}


def _hair(t: SimpleNamespace) -> dict[str, str | None]:
    """Hair and beard. Both are of one colour, which is only seen where there is enough of it, or some of it."""
    seen = t.hat == "none" or t.hair in BESIDE_A_HAT
    apart = math.dist(palette.hair(t).ravel(), palette.skin(t).ravel()) > SEEN
    beard = None if t.beard == "stubble" or (t.beard != "none" and not apart) else t.beard
    # Short hair of the skin's own colour is hard to tell from none.
    style = t.hair if seen and (apart or t.hair in ("bald", "long", "fringe", "curly", "bun")) else None
    colour = _hair_colour(t) if seen and t.hair not in ("bald", "buzz") else None
    return {"hair": style, "hair_colour": colour, "beard": beard}


def _hair_colour(t: SimpleNamespace) -> str | None:
    if t.dye != "natural":
        return t.dye
    grey = max(0.0, t.age - 0.6) / 0.4
    if grey > 0.1:
        return "grey" if grey > 0.65 else None
    return _range(
        t.hair_tone, ("black", 0.0, 0.12), ("brown", 0.22, 0.42), ("ginger", 0.58, 0.72), ("blond", 0.85, 1.0)
    )


def _place(t: SimpleNamespace) -> dict[str, str | None]:
    near, far = near_colour(t), far_colour(t)
    apart = math.dist(near.ravel(), far.ravel()) > 1.2 * SEEN
    name = colour_name(0.5 * (near + far))
    agreed = {colour_name(near), colour_name(far)} <= {name, None}
    return {"place": t.background if apart else None, "place_colour": name if agreed else None}
