"""Tasks x methods as one picture: what every method of a finished comparison made of the same portrait.

python -m benchmarks.gallery runs/portraits_linear [--image ID] [--out docs/images/gallery.png]

A row a task, with the measurement at its head; a column a method. `compare` has written the folder, with table.csv.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dsg.errors import UserError

SIDE, GAP, LINE = 64, 2, 14
LEFT = 116  # for the names of tasks


def finished(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """(task, method, run folder) of the runs that the table of a comparison is made of.

    Raises:
        UserError: if there is no table, or it has more than one setting.
    """
    table = folder / "table.csv"
    if not table.is_file():
        raise UserError(f"{table}: not there; give the folder of a comparison that has ended")
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row.get("cells")]  # of images, not of cells of them
    if len(settings := {row["setting"] for row in rows}) > 1:
        raise UserError(f"{table}: it has {len(settings)} settings, and a gallery shows one")
    for task, method, setting, chosen in dict.fromkeys(
        (row["task"], row["method"], row["setting"], row["chosen"]) for row in rows
    ):
        values = [value.rsplit(".init_args.", 1)[-1].split()[0].rstrip("*") for value in chosen.split(", ") if value]
        yield task, method, folder.joinpath("runs", task, method, setting, *[",".join(values)] * bool(values))


def lines_of(name: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> list[str]:
    """A name's words, as many in a line as fit over a picture."""
    lines = [""]
    for word in name.split("_"):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > SIDE:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def gallery(folder: Path, image_id: str) -> Image.Image:
    """The sheet of one image.

    Raises:
        UserError: if a run has no such sample.
    """
    runs = {(task, method): run for task, method, run in finished(folder)}
    tasks, methods = (list(dict.fromkeys(names)) for names in zip(*runs, strict=True))
    step, font = SIDE + GAP, ImageFont.load_default(11)
    names = ["\n".join(lines_of(name, font)) for name in ("measured", *methods)]
    head = 2 + LINE * (1 + max(name.count("\n") for name in names))
    sheet = Image.new("RGB", (LEFT + (1 + len(methods)) * step, head + len(tasks) * step), "white")
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(names):
        draw.multiline_text((LEFT + column * step, 1), name, "black", font, spacing=2)
    for row, task in enumerate(tasks):
        draw.text((2, head + row * step + SIDE // 2 - 6), task.replace("_", " "), "black", font)
        files = [runs[task, methods[0]] / "measurements" / f"{image_id}.png"]
        files += [runs[task, method] / "samples" / f"{image_id}.png" for method in methods]
        for column, file in enumerate(files):
            if not file.is_file():
                raise UserError(f"{file}: not there; give the id of an image of the comparison with --image")
            picture = Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)
            sheet.paste(picture, (LEFT + column * step, head + row * step))
    return sheet


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--image", default="01000003")
    parser.add_argument("--out", type=Path, default=Path("docs/images/gallery.png"))
    options = parser.parse_args()
    try:
        gallery(options.folder, options.image).quantize(256).save(options.out, optimize=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
