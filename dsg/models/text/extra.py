"""The optional library of text encoders."""

from __future__ import annotations

from types import ModuleType

from dsg.errors import installed


def transformers() -> ModuleType:
    """The library, imported when a model of texts asks.

    Raises:
        NotInstalled: if it is missing.
    """
    with installed("transformers", "a text encoder or tokenizer"):
        import transformers as library
    return library
