"""Ctrl-C while a command's imports take their seconds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_ends() -> Iterator[None]:
    """While this is open, Ctrl-C ends the process without a word: for a command's imports, which take seconds.

    Nothing has begun that could be lost; and as an exception it would be swallowed by modules that try their imports.
    """
    earlier = signal.getsignal(signal.SIGINT)
    if earlier is signal.default_int_handler:  # a job in the background ignores it
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
