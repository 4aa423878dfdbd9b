"""A command's imports, which take seconds."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """While this is open, Ctrl-C ends the process without a word, and nobody looks for garbage.

    Nothing has begun that could be lost; and as an exception Ctrl-C would be swallowed by modules that try their
    imports. What is imported stays: to look through it again and again is a sixth of the time.
    """
    earlier, collects = signal.getsignal(signal.SIGINT), gc.isenabled()
    if earlier is signal.default_int_handler:  # a job in the background ignores it
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    gc.disable()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
        if collects:
            gc.enable()
