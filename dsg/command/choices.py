"""What could have been meant by a name that is not there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module


def choices(message: str) -> str:
    """What the message's class or module has instead, to be put behind it; empty where the message names none.

    Args:
        message: of an argument parser, in one line.
    """
    if found := re.search(r"([\w.]+)\.(\w+): Option '\w+' is not accepted", message):
        parameters = _parameters(*found.groups())
        return f"; it has {', '.join(parameters)}" if parameters else "; it has no parameters"
    if found := re.search(r"module '([\w.]+)' has no attribute", message):
        public = getattr(import_module(found[1]), "__all__", [])
        return f"; it has {', '.join(public)}" if public else ""
    return ""


def _parameters(module: str, name: str) -> list[str]:
    """The parameters of a class that the parser has already imported."""
    signature = inspect.signature(getattr(import_module(module), name))
    return [parameter for parameter in signature.parameters if parameter != "self"]
