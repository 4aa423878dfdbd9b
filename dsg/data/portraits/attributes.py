"""What a portrait is made of: named traits, drawn for an index and a variation.

A trait is a number in [0, 1] or a kind (one word of a short list). Identity traits depend on the index alone;
variation traits (pose, expression, light, background) also on the variation number.
"""

from types import SimpleNamespace

import numpy as np

SEED = 20240611

IDENTITY_NUMBERS = (
    "skin_tone", "skin_warmth", "age", "freckles", "blush",
    "face_width", "face_length", "jaw", "ears", "neck_width", "shoulders",
    "eye_size", "eye_spacing", "eye_tilt", "eye_height", "eye_colour", "brow_thickness", "brow_arch", "brow_height",
    "nose_length", "nose_width", "mouth_width", "lip_fullness", "lip_redness",
    "hair_tone", "hair_volume", "hairline", "hair_wave", "hair_length", "parting", "beard_length",
    "glasses_size", "glasses_hue", "hat_hue", "hat_strength", "hat_light", "hat_height",
    "clothes_hue", "clothes_strength", "clothes_light",
)  # fmt: skip
IDENTITY_KINDS = {
    "hair": {
        "short": 0.17,
        "parted": 0.17,
        "long": 0.19,
        "fringe": 0.13,
        "curly": 0.14,
        "bun": 0.08,
        "buzz": 0.06,
        "bald": 0.06,
    },
    "dye": {"natural": 0.87, "pink": 0.04, "blue": 0.035, "green": 0.025, "violet": 0.03},
    "beard": {"none": 0.6, "stubble": 0.09, "moustache": 0.09, "goatee": 0.09, "full": 0.13},
    "glasses": {"none": 0.58, "round": 0.13, "square": 0.13, "browline": 0.07, "sun": 0.09},
    "hat": {"none": 0.64, "beanie": 0.1, "cap": 0.1, "fedora": 0.09, "beret": 0.07},
    "clothes": {"crew": 0.27, "vneck": 0.18, "collar": 0.2, "turtleneck": 0.15, "suit": 0.2},
    "pattern": {"plain": 0.6, "stripes": 0.25, "checks": 0.15},
}
VARIATION_NUMBERS = (
    "yaw", "pitch", "roll", "smile", "mouth_open", "eye_open", "brow_raise", "gaze_x", "gaze_y",
    "light_azimuth", "light_height", "light_contrast", "light_warmth", "light_level",
    "background_hue", "background_strength", "background_light", "background_hue_2", "background_light_2",
    "background_angle", "background_phase",
)  # fmt: skip
VARIATION_KINDS = {
    "background": {"gradient": 0.3, "halo": 0.2, "stripes": 0.15, "blobs": 0.2, "horizon": 0.15},
}

CLASSES = tuple(
    f"{glasses} {beard} {hat}"
    for glasses in ("bare-eyed", "glasses")
    for beard in ("beardless", "beard")
    for hat in ("hatless", "hat")
)


def _names(numbers, kinds):
    return tuple(numbers) + tuple(f"{trait}={kind}" for trait, table in kinds.items() for kind in table)


IDENTITY = _names(IDENTITY_NUMBERS, IDENTITY_KINDS)
ATTRIBUTES = IDENTITY + _names(VARIATION_NUMBERS, VARIATION_KINDS)


def _draw(rng, numbers, kinds):
    traits = dict(zip(numbers, rng.random(len(numbers)).tolist(), strict=True))
    for (trait, table), chance in zip(kinds.items(), rng.random(len(kinds)).tolist(), strict=True):
        edges = np.cumsum(list(table.values()))
        traits[trait] = list(table)[min(int(np.searchsorted(edges, chance, side="right")), len(table) - 1)]
    return traits


def draw_traits(index: int, variation: int = 0) -> SimpleNamespace:
    """Every trait of picture `index` (>= 0) in its `variation` (>= 0), as attributes of one namespace."""
    if index < 0 or variation < 0:
        raise ValueError(f"index and variation must not be negative, got {index} and {variation}")
    # One stream for who it is, one for each way of showing it: a new variation cannot change the identity.
    identity = _draw(np.random.default_rng([SEED, index, 0]), IDENTITY_NUMBERS, IDENTITY_KINDS)
    shown = _draw(np.random.default_rng([SEED, index, 1 + variation]), VARIATION_NUMBERS, VARIATION_KINDS)
    return SimpleNamespace(**identity, **shown)


def encode(traits: SimpleNamespace) -> np.ndarray:
    """The traits as a float32 vector (A,) in [0, 1], named by ATTRIBUTES: numbers as they are, kinds one-hot."""

    def value(name):
        trait, _, kind = name.partition("=")
        return float(getattr(traits, trait) == kind) if kind else getattr(traits, trait)

    return np.array([value(name) for name in ATTRIBUTES], dtype=np.float32)


def class_label(traits: SimpleNamespace) -> int:
    """Index into CLASSES: four times glasses, plus two times beard, plus hat."""
    return 4 * (traits.glasses != "none") + 2 * (traits.beard != "none") + (traits.hat != "none")
