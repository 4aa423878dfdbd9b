"""Import Lightning without torchvision: 1.5 s sooner, for the command line's help and its errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from unittest.mock import patch

from lightning_utilities.core import imports


@contextmanager
def without_torchvision() -> Iterator[None]:
    """While this is open, packages that ask whether torchvision is installed are told no.

    torchmetrics, which Lightning imports, loads torchvision for metrics that are not used here, if it is installed. It
    asks for the version first, and if that fails for the module; None in sys.modules stands for an absent module.
    """
    if "torchvision" in sys.modules:
        yield
        return
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
