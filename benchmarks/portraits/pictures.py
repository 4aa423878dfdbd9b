"""Many portraits at once, as bytes. Needs numpy only, so that rendering processes start light."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from dsg.data.portraits import render

CHUNK = 250


def render_bytes(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Portraits start..stop-1: images uint8 (N, 3, 64, 64) and labels uint8 (N,)."""
    portraits = [render(index) for index in range(start, stop)]
    images = np.stack([np.rint((p.image + 1.0) * 127.5).astype(np.uint8) for p in portraits])
    return images, np.array([p.label for p in portraits], dtype=np.uint8)


class Pictures:
    """Renders `count` portraits from index `first` on in the background; `collect()` waits for all of them."""

    def __init__(self, first: int, count: int, workers: int | None = None):
        # Forked before CUDA starts: a fork afterwards would inherit a context that it cannot use.
        context = multiprocessing.get_context("fork")
        self._pool = ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context)
        starts = range(first, first + count, CHUNK)
        self._jobs = [self._pool.submit(render_bytes, start, min(start + CHUNK, first + count)) for start in starts]

    def collect(self) -> tuple[np.ndarray, np.ndarray]:
        chunks = [job.result() for job in self._jobs]
        self._pool.shutdown()
        return np.concatenate([images for images, _ in chunks]), np.concatenate([labels for _, labels in chunks])
