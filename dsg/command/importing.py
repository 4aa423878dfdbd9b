"""A command's imports, which take seconds."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dsg.errors import NotInstalled, how_to_install

OURS = ("", "dsg", "tasks", "callbacks", "configs", "train_free_eval")


@contextmanager
def importing() -> Iterator[None]:
    """While this is open, Ctrl-C ends the process without a word, and nobody looks for garbage.

    Nothing has begun that could be lost; and as an exception Ctrl-C would be swallowed by modules that try their
    imports. What is imported stays: to look through it again and again is a sixth of the time.

    Raises:
        SystemExit: with a line that says how to get it, if a library is missing, as where only the sampling loop's are.
    """
    earlier, collects = signal.getsignal(signal.SIGINT), gc.isenabled()
    if earlier is signal.default_int_handler:  # a job in the background ignores it
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    gc.disable()
    try:
        yield
    except NotInstalled as error:
        sys.exit(_line(str(error)))
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in OURS:
            raise  # a part of this installation, which nobody else can provide
        sys.exit(_line(f"the command needs {library}, which is not installed: {how_to_install(library)}"))
    finally:
        signal.signal(signal.SIGINT, earlier)
        if collects:
            gc.enable()


def _line(message: str) -> int:
    """Say it, and with which code the command ends."""
    print(f"error: {message}", file=sys.stderr)
    return 2
