"""Draw what the twins see in held-out portraits beside what is true of them.

python -m benchmarks.portraits.twins_picture --out docs/images/portraits_twins.png
"""

from __future__ import annotations

import argparse
import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from dsg.data.examples import LANDMARKS, SEGMENTATION, VARIATION
from dsg.data.held_out import HeldOutPortraits
from dsg.data.portraits import SEGMENTS
from dsg.models.portraits.identity import PortraitsIdentity
from dsg.models.portraits.landmarks import PortraitsLandmarks
from dsg.models.portraits.segmentation import PortraitsSegmentation
from dsg.models.portraits.twin import Role

ROLES: tuple[Role, Role] = ("guide", "judge")
SCALE, GAP, HEAD = 3, 6, 22  # pixels of the drawing
TITLES = ("portrait", "its variation", "another person", "true parts", "guide's parts", "judge's parts", "points")
DOTS = {"true": "white", "guide": "red", "judge": "blue"}
HUES = [colorsys.hsv_to_rgb(k / 10, 0.65, 0.95) for k in range(len(SEGMENTS) - 1)]
COLOURS = np.round(255 * np.array([(0.16, 0.16, 0.19), *HUES])).astype(np.uint8)


def draw(first: int, people: int) -> Image.Image:
    """A row a person: what it is compared with and at which cosine, its parts, and its points."""
    data = HeldOutPortraits(first=first, limit=people, columns=[VARIATION, SEGMENTATION, LANDMARKS])
    examples = [data.load(image_id) for image_id in data.image_ids()]
    images = torch.stack([one.image for one in examples if one.image is not None])
    variations, parts, points = (
        torch.stack([torch.as_tensor(one.columns[name]) for one in examples])
        for name in (VARIATION, SEGMENTATION, LANDMARKS)
    )
    cosines = {}
    for role in ROLES:
        embed = PortraitsIdentity(role)
        mine, same = embed(images), embed(variations)
        cosines[role] = [(mine * other).sum(1).tolist() for other in (same, same.roll(-1, 0))]
    seen = [PortraitsSegmentation(role)(images).argmax(1) for role in ROLES]
    found = {"true": points} | {role: PortraitsLandmarks(role)(images).unflatten(1, (-1, 2)) for role in ROLES}
    rows = []
    for k in range(people):
        said = ["  ".join(f"{cosines[role][other][k]:.2f}" for role in ROLES) for other in (0, 1)]
        cells = [_picture(images[k]), _picture(variations[k], said[0]), _picture(variations[(k + 1) % people], said[1])]
        cells += [_parts(one[k]) for one in (parts, *seen)]
        rows.append([*cells, _dotted(images[k], {name: one[k] for name, one in found.items()})])
    return _sheet(rows)


def _picture(image: torch.Tensor, said: str = "") -> Image.Image:
    levels = ((image + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    cell = _enlarged(levels)
    if said:
        ImageDraw.Draw(cell).text(
            (4, 2), said, "white", ImageFont.load_default(15), stroke_width=2, stroke_fill="black"
        )
    return cell


def _parts(classes: torch.Tensor) -> Image.Image:
    return _enlarged(COLOURS[classes.numpy()])


def _dotted(image: torch.Tensor, points: dict[str, torch.Tensor]) -> Image.Image:
    cell = _picture(image)
    for name, places in points.items():
        for x, y in ((places + 0.5) * SCALE).tolist():
            r = 3.5 if name == "true" else 2
            ImageDraw.Draw(cell).ellipse((x - r, y - r, x + r, y + r), outline=DOTS[name], fill=DOTS[name])
    return cell


def _enlarged(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(levels).resize((64 * SCALE, 64 * SCALE), Image.Resampling.NEAREST)


def _sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    side, font = 64 * SCALE, ImageFont.load_default(15)
    wide, high = len(TITLES) * (side + GAP) + GAP, HEAD + len(rows) * (side + GAP) + HEAD + GAP
    sheet = Image.new("RGB", (wide, high), "white")
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(TITLES):
        pen.text((GAP + column * (side + GAP), 3), title, "black", font)
        for row, cells in enumerate(rows):
            sheet.paste(cells[column], (GAP + column * (side + GAP), HEAD + row * (side + GAP)))
    x, y = GAP, high - HEAD
    for name, colour in zip(SEGMENTS, COLOURS.tolist(), strict=True):
        pen.rectangle((x, y + 3, x + 12, y + 15), tuple(colour))
        pen.text((x + 16, y), name, "black", font)
        x += 26 + int(pen.textlength(name, font))
    points = "points: " + ", ".join(f"{name} {colour}" for name, colour in DOTS.items())
    pen.text((x + 20, y), f"numbers: cosine to the portrait, guide and judge; {points}", "black", font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the picture, a PNG")
    parser.add_argument("--first", type=int, default=0, help="first of the held-out portraits")
    parser.add_argument("--people", type=int, default=4)
    options = parser.parse_args()
    draw(options.first, options.people).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
