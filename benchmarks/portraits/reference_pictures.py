"""The pictures behind the reference of `fd_portraits`, as a folder: for metrics that ask for the pictures themselves.

    python -m benchmarks.portraits.reference_pictures --out runs/portraits_reference

Then `--distribution.reference runs/portraits_reference` gives kernel distance, precision and recall beside the same
Fréchet distance.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from .pictures import Pictures
from .statistics import COUNT, START


def write_pictures(out: Path, first: int, count: int) -> None:
    """Portraits first..first+count-1 as `out/<index>.png`."""
    out.mkdir(parents=True, exist_ok=True)
    images, _ = Pictures(first, count).collect()
    for index, image in enumerate(images, first):
        Image.fromarray(image.transpose(1, 2, 0)).save(out / f"{index:08d}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--first", type=int, default=START, help="index of the first portrait")
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args()
    write_pictures(options.out, options.first, options.count)
    print(f"{options.out}: {options.count} portraits from {options.first} on")


if __name__ == "__main__":
    main()
