"""The files of a comparison: its entries include files too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dsg.command.files import read, read_included
from dsg.command.merge import Settings

ENTRIES = ("tasks", "methods", "settings")


def read_with_entries(files: Sequence[str | Path]) -> Settings:
    """The settings of `files`, as `predict` reads them, with the `include` of every entry of the comparison read too.

    An entry's include is relative to the file that it stands in, and lies below the entry's own lines; what the
    comparison includes already is not brought again.

    Raises:
        UserError: for files that cannot be read or contradict each other.
    """
    return read(files, prepare=_with_entries)


def _with_entries(content: Settings, file: Path, below: frozenset[Path]) -> Settings:
    comparison = content.get("comparison")
    if not isinstance(comparison, dict):
        return content
    with_files = partial(_with_files, file=file, below=below)
    expanded = dict(comparison)
    for kind in ENTRIES:
        if isinstance(entries := comparison.get(kind), dict):
            key = f"comparison.{kind}"
            expanded[kind] = {name: with_files(entry, key=f"{key}.{name}") for name, entry in entries.items()}
    if "tuning" in comparison:
        expanded["tuning"] = with_files(comparison["tuning"], key="comparison.tuning")
    return {**content, "comparison": expanded}


def _with_files(entry: Any, key: str, file: Path, below: frozenset[Path]) -> Any:
    return read_included(entry, key, file, below) if isinstance(entry, dict) else entry
