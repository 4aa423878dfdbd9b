"""The one rule by which settings override each other."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Settings = dict[str, Any]
OF_A_CLASS = ("class_path", "init_args", "dict_kwargs")


def merge(base: Any, over: Any) -> Any:
    """`over` on top of `base`: mappings key by key, anything else whole, lists too; neither is changed.

    Another `class_path` replaces the class with all its arguments: those of one class are not those of the next.
    """
    if not (isinstance(base, dict) and isinstance(over, dict)) or is_another_class(base, over):
        return deepcopy(over)
    merged = deepcopy(base)
    for key, value in over.items():
        merged[key] = merge(base[key], value) if key in base else deepcopy(value)
    return merged


def is_another_class(base: Settings, over: Settings) -> bool:
    """Whether both name a class, and not the same; a name without its module is that of any module."""
    if "class_path" not in base or "class_path" not in over:
        return False
    one, other = str(base["class_path"]), str(over["class_path"])
    if "." in one and "." in other:
        return one != other
    return one.rsplit(".", 1)[-1] != other.rsplit(".", 1)[-1]


def nested(key: str, value: Any) -> Settings:
    """{"a": {"b": value}} for the dotted key `a.b`."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def at(settings: Any, key: str) -> Any:
    """What stands at the dotted key; None where nothing does."""
    for name in key.split("."):
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings
