"""YAML texts of plain types: read by libyaml where PyYAML has it, which is eight times as fast as its Python."""

from __future__ import annotations

from typing import Any

import yaml
from yaml import YAMLError

__all__ = ["YAMLError", "dump", "load"]

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAKS = "\x85\u2028\u2029"
"""What ends a line in YAML 1.1 alone: PyYAML writes it as it is, and reads a space."""


class _Dumper(yaml.SafeDumper):
    """SafeDumper, which writes `_BREAKS` as escapes."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        node = super().represent_str(data)
        if any(end in data for end in _BREAKS):
            node.style = '"'  # the one in which it escapes
        return node


_Dumper.add_representer(str, _Dumper.represent_str)


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
    return yaml.dump(settings, Dumper=_Dumper, sort_keys=False, allow_unicode=True)  # libyaml would escape emoji
