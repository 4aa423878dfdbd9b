"""Import Lightning without torchvision: 1.5 s sooner, for the command line's help and its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError

from lightning_utilities.core import imports


@contextmanager
def without_torchvision() -> Iterator[None]:
    """While this is open, packages that ask whether torchvision is installed are told no.

    torchmetrics, which Lightning imports, loads torchvision for metrics that are not used here, if it is installed.
    """
    version = imports._version

    def version_or_none(name: str) -> str:
        if name == "torchvision":
            raise PackageNotFoundError(name)
        return version(name)

    imports._version = version_or_none
    try:
        yield
    finally:
        imports._version = version
