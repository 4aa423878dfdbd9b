"""Portraits rendered once into a file, for trainings that start more than once."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from .pictures import CHUNK, render_bytes


def cached_pictures(folder: Path, first: int, count: int) -> np.ndarray:
    """Portraits first..first+count-1, uint8 (N, 3, 64, 64), mapped from a file in `folder`.

    What is missing is rendered, on all cores; a rendering that was cut short begins again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"portraits_{first}_{count}.npy"
    if not file.exists():
        part = file.with_suffix(".part")
        pictures = np.lib.format.open_memmap(part, "w+", np.uint8, (count, 3, 64, 64))
        starts = range(first, first + count, CHUNK)
        stops = [min(start + CHUNK, first + count) for start in starts]
        with ProcessPoolExecutor() as pool:
            for start, stop, (images, _) in zip(starts, stops, pool.map(render_bytes, starts, stops), strict=True):
                pictures[start - first : stop - first] = images
        pictures.flush()
        part.replace(file)
    return np.load(file, mmap_mode="c")
