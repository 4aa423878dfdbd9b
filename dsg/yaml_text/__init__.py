"""YAML texts of plain types: read by libyaml where PyYAML has it, which is eight times as fast as its Python."""

from __future__ import annotations

from typing import Any

import yaml
from yaml import YAMLError

__all__ = ["YAMLError", "dump", "load"]

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """What the text of one document holds.

    Raises:
        YAMLError: if it is not YAML, or names a type that is not plain; it shows the place.
    """
    try:
        return yaml.load(text, _FAST)
    except YAMLError:
        return yaml.safe_load(text)  # libyaml does not show the line that it could not read


def dump(settings: Any) -> str:
    """`settings` as the text of a file, in their own order.

    Raises:
        YAMLError: if they hold a type that is not plain.
    """
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)  # libyaml would escape emoji
