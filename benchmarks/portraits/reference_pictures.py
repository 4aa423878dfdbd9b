"""The pictures behind the reference of `fd_portraits`, as a folder: for metrics that ask for the pictures themselves.

    python -m benchmarks.portraits.reference_pictures --out runs/portraits_reference

Then `--distribution.reference runs/portraits_reference` gives kernel distance, precision and recall beside the same
Fréchet distance. With `--each N` there are N pictures of every class, each class in a folder of its own, as
`callbacks.ClassGroups` wants them:

    python -m benchmarks.portraits.reference_pictures --out runs/portraits_by_class --each 250
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from dsg.data.portraits import CLASSES, render
from dsg.data.portraits.long_tail import picture_indices

from .pictures import Pictures
from .statistics import COUNT, START


def write_pictures(out: Path, first: int, count: int) -> None:
    """Portraits first..first+count-1 as `out/<index>.png`."""
    out.mkdir(parents=True, exist_ok=True)
    images, _ = Pictures(first, count).collect()
    for index, image in enumerate(images, first):
        Image.fromarray(image.transpose(1, 2, 0)).save(out / f"{index:08d}.png")


def write_by_class(out: Path, first: int, each: int) -> None:
    """The first portraits from `first` on that are `each` of every class, as `out/<class>/<index>.png`."""
    for index, label in zip(*picture_indices(first, (each,) * len(CLASSES)), strict=True):
        folder = out / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        levels = np.rint((render(int(index)).image + 1.0) * 127.5).astype(np.uint8)
        Image.fromarray(levels.transpose(1, 2, 0)).save(folder / f"{index:08d}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--first", type=int, default=START, help="index of the first portrait")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--each", type=int, help="pictures of every class, in folders of classes; instead of --count")
    options = parser.parse_args()
    if (count := options.count if options.each is None else options.each) < 1:
        parser.error(f"--count, --each: at least 1, got {count}")
    if options.out.is_dir() and any(options.out.iterdir()):
        parser.error(f"--out: {options.out} is not empty, and its pictures would count too; take another folder")
    if options.each is not None:
        write_by_class(options.out, options.first, options.each)
        print(f"{options.out}: {options.each} portraits of each class from {options.first} on")
        return
    write_pictures(options.out, options.first, options.count)
    print(f"{options.out}: {options.count} portraits from {options.first} on")


if __name__ == "__main__":
    main()
