"""What could have been meant by a name that is not there."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

HOMES = {
    "model.combiner": ("dsg.combiners", "PredictionCombiner"),
    "model.guidance": ("dsg.guidance", "Guidance"),
    "model.kernel": ("dsg.diffusion.kernels", "ReverseKernel"),
    "model.spacing": ("dsg.diffusion", "Spacing"),
    "model.task": ("tasks", "Task"),
}
"""Where the classes are that an option may name, and what they have in common."""


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
    if found := re.search(r"(model\.\w+): expected dot import path string", message):
        names = _classes(*HOMES[found[1]]) if found[1] in HOMES else []
        return f"; it is a class: {', '.join(names)}, or one of your own" if names else ""
    if re.search(r"model\.steps: expected int, got ddim", message):
        return "; for guided-diffusion's ddimN set model.steps N and model.spacing IntegerStride"
    return ""


def _classes(module: str, base: str) -> list[str]:
    """The classes of a module that can stand where `base` is asked for."""
    home = import_module(module)
    named = ((name, getattr(home, name)) for name in home.__all__)
    kinds = [(n, c) for n, c in named if inspect.isclass(c) and issubclass(c, getattr(home, base))]
    return [name for name, kind in kinds if not inspect.isabstract(kind)]


def _parameters(module: str, name: str) -> list[str]:
    """The parameters of a class that the parser has already imported."""
    signature = inspect.signature(getattr(import_module(module), name))
    return [parameter for parameter in signature.parameters if parameter != "self"]
