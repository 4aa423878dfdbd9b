"""Portraits with all that is true of them, rendered once into files, for trainings that start more than once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsg.data.portraits import LANDMARKS, render


@dataclass(frozen=True)
class Truths:
    """N = people · variations pictures; row i is variation i mod `variations` of person `first` + i div `variations`.

    Args:
        images: uint8 (N,3,64,64).
        segmentation: uint8 (N,64,64), indices into SEGMENTS.
        landmarks: float32 (N,9,2), pixels.
    """

    first: int
    variations: int
    images: np.ndarray
    segmentation: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def shown(self, row: int) -> tuple[int, int]:
        """Index and variation of a row."""
        return self.first + row // self.variations, row % self.variations


def cached_truths(folder: Path, first: int, people: int, variations: int) -> Truths:
    """Portraits of `people` people from index `first` on, mapped from files in `folder`.

    What is missing is rendered, on this core alone; a rendering that was cut short begins again.
    """
    count = people * variations
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {
        "images": (np.uint8, (count, 3, 64, 64)),
        "segmentation": (np.uint8, (count, 64, 64)),
        "landmarks": (np.float32, (count, len(LANDMARKS), 2)),
    }
    files = {name: folder / f"truths_{first}_{people}x{variations}_{name}.npy" for name in shapes}
    if not all(file.exists() for file in files.values()):
        parts = {name: file.with_suffix(".part") for name, file in files.items()}
        arrays = {name: np.lib.format.open_memmap(parts[name], "w+", *shapes[name]) for name in shapes}
        for row in range(count):
            portrait = render(first + row // variations, row % variations)
            arrays["images"][row] = np.rint((portrait.image + 1.0) * 127.5)
            arrays["segmentation"][row] = portrait.segmentation
            arrays["landmarks"][row] = portrait.landmarks
        for name, array in arrays.items():
            array.flush()
            parts[name].replace(files[name])
    return Truths(first, variations, **{name: np.load(file, mmap_mode="c") for name, file in files.items()})
