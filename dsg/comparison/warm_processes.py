"""Processes that find the libraries imported."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.context import BaseContext

LIBRARIES = ("lightning.pytorch.cli", "torch.utils.tensorboard", "pandas", "matplotlib")
"""What takes seconds to import, and is nobody's own code; none of it asks for a GPU, as a test holds it to."""


def warm_processes() -> BaseContext:
    """How to start processes that may use CUDA whatever this one has done, which a copy of this one could not.

    On Linux one process imports `LIBRARIES` and from then on only copies itself, so that all but the first start in
    half a second instead of six. Elsewhere each begins with nothing: macOS ends a process that was copied with its
    frameworks loaded.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LIBRARIES))
    return context
