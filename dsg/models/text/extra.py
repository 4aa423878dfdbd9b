"""The optional library of text encoders."""

from __future__ import annotations

from types import ModuleType

from dsg.errors import UserError


def transformers() -> ModuleType:
    """The library, imported when a model of texts asks.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import transformers as library
    except ImportError as error:
        raise UserError(
            "transformers, which reads text encoders and tokenizers, is not installed; pip install '.[text]'"
        ) from error
    return library
