"""Worlds that no embedded network was trained on: the same people with other dyes, in other lights, in other poses.

Every training draws its numbers in [0, 1], and its dyes from a short list. Here a number lies beyond the nearer end, so
that a face that was turned to the left is turned further than any in training, and hair has a colour that none has.
All else of a portrait is as it was, its class too: pictures of one index are a pair.
"""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace

from .palette import UNSEEN_DYES

NUMBERS = {
    "lights": ("light_azimuth", "light_height", "light_contrast", "light_warmth", "light_level"),
    "poses": ("yaw", "pitch", "roll"),
}
FURTHEST = {"lights": 0.5, "poses": 0.3}  # beyond the range, in its lengths; faces turned further lose their features
UNSEEN = ("dyes", *NUMBERS)


def unseen(traits: SimpleNamespace, worlds: Collection[str]) -> SimpleNamespace:
    """The traits with those of `worlds`, some of UNSEEN, where no training has them; without any, as they were.

    Hair, brows and beard have one of UNSEEN_DYES, which one by `hair_tone`. With f of FURTHEST a number q becomes
    1 + 2f(q − ½) for q ≥ ½ and −2f(½ − q) below: in [1, 1 + f], or [−f, 0).
    """
    changed = dict(vars(traits))
    for world in NUMBERS.keys() & set(worlds):
        for name in NUMBERS[world]:
            q = changed[name]
            changed[name] = (q >= 0.5) + 2 * FURTHEST[world] * (q - 0.5)
    if "dyes" in worlds:
        changed["dye"] = list(UNSEEN_DYES)[min(int(traits.hair_tone * len(UNSEEN_DYES)), len(UNSEEN_DYES) - 1)]
    return SimpleNamespace(**changed)
