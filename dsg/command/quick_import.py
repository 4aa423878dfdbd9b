"""A command's imports: Lightning without torchvision, 1.5 s sooner, and Ctrl-C meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from unittest.mock import patch


@contextmanager
def without_torchvision() -> Iterator[None]:
    """While this is open, packages that ask whether torchvision is installed are told no.

    torchmetrics, which Lightning imports, loads torchvision for metrics that are not used here, if it is installed. It
    asks for the version first, and if that fails for the module; None in sys.modules stands for an absent module.
    """
    if "torchvision" in sys.modules:
        yield
        return
    from lightning_utilities.core import imports  # takes a while too

    version = imports._version  # type: ignore[attr-defined]

    def version_or_none(name: str) -> str:
        if name == "torchvision":
            raise PackageNotFoundError(name)
        return version(name)

    sys.modules["torchvision"] = None  # type: ignore[assignment]
    try:
        with patch.object(imports, "_version", version_or_none):
            yield
    finally:
        del sys.modules["torchvision"]


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
