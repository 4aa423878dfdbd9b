"""Settings that are composed before a run sees them: files, entries of a comparison, and what overrides what."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from dsg.command.config import with_includes
from dsg.errors import UserError

Settings = dict[str, Any]
ENTRIES = ("tasks", "methods", "settings")


def merge(base: Any, over: Any) -> Any:
    """`over` on top of `base`: mappings key by key, anything else whole; neither is changed.

    Another `class_path` replaces the class with all its arguments: those of one class are not those of the next.
    """
    if not (isinstance(base, dict) and isinstance(over, dict)) or _another_class(base, over):
        return deepcopy(over)
    merged = deepcopy(base)
    for key, value in over.items():
        merged[key] = merge(base[key], value) if key in base else deepcopy(value)
    return merged


def _another_class(base: Settings, over: Settings) -> bool:
    return "class_path" in over and "class_path" in base and base["class_path"] != over["class_path"]


def nested(key: str, value: Any) -> Settings:
    """{"a": {"b": value}} for the dotted key `a.b`."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def read(files: Sequence[str | Path]) -> Settings:
    """The settings of `files` and of all that they include, later ones on top; no `include` is left.

    Raises:
        UserError: for a file that is missing or holds no settings.
    """
    settings: Settings = {}
    for file in files:
        for part in with_includes(Path(file)):
            content = yaml.safe_load(part.read_text(encoding="utf-8")) or {}
            content.pop("include", None)
            settings = merge(settings, _with_entries(content, part))
    return settings


def _with_entries(content: Settings, file: Path) -> Settings:
    """`content` with the `include` of every entry of its comparison read, relative to `file`."""
    comparison = content.get("comparison")
    if not isinstance(comparison, dict):
        return content
    expanded = dict(comparison)
    for kind in ENTRIES:
        if isinstance(entries := comparison.get(kind), dict):
            expanded[kind] = {
                name: _included(entry, file, f"comparison.{kind}.{name}") for name, entry in entries.items()
            }
    if "tuning" in comparison:
        expanded["tuning"] = _included(comparison["tuning"], file, "comparison.tuning")
    return {**content, "comparison": expanded}


def _included(entry: Any, file: Path, key: str) -> Any:
    if not (isinstance(entry, dict) and "include" in entry):
        return entry
    names = entry["include"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{key}.include: must be a list of files in {file}, got {names!r}")
    own = {name: value for name, value in entry.items() if name != "include"}
    return merge(read([file.parent / name for name in names]), own)
