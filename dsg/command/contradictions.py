"""Files that contradict each other without an order between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.command.merge import Settings
from dsg.errors import UserError


@dataclass(frozen=True)
class File:
    """One file.

    Args:
        path: as it was named.
        settings: its own, without `include`.
        includes: itself and all that it includes, at any depth; resolved.
    """

    path: Path
    settings: Settings
    includes: frozenset[Path]


def refuse_contradictions(files: Sequence[File], settings: Settings) -> None:
    """Raise UserError where two of `files` set one key to different values, and no file that includes both does."""
    setters: dict[tuple[str, ...], list[tuple[File, Any]]] = {}
    for file in files:
        for key, value in _leaves(file.settings):
            setters.setdefault(key, []).append((file, value))
    kept = dict(_leaves(settings))  # what was replaced with its class contradicts nothing
    for key, all_of_it in setters.items():
        last = [
            s for s in all_of_it if not any(s[0].path.resolve() in o.includes for o, _ in all_of_it if o is not s[0])
        ]
        (one, value), *others = last
        for other, different in others:
            if different != value and key in kept:
                raise UserError(
                    f"include: {one.path} sets {'.'.join(key)} to {value!r} and {other.path} to {different!r}, and "
                    f"neither includes the other; set it in {files[-1].path}, or leave one of the two out"
                )


def _undecided(setters: list[tuple[File, Any]]) -> list[tuple[File, Any]]:
    """Those of the setters of one key that no other of them includes."""
    return [
        (file, value)
        for file, value in setters
        if not any(file.path.resolve() in other.includes for other, _ in setters if other is not file)
    ]


def _leaves(settings: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(key, value) of all that is no mapping, at any depth; an empty mapping counts."""
    if isinstance(settings, dict) and settings:
        for name, value in settings.items():
            yield from _leaves(value, (*key, str(name)))
    elif key:
        yield key, settings
