"""Files that contradict each other without an order between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.command.merge import Settings
from dsg.errors import UserError


class _Settings:
    """A mapping, whatever it holds."""

    def __repr__(self) -> str:
        return "settings"


SETTINGS = _Settings()


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
    """Raise UserError where two of `files` set one key to different values, and no file that includes both sets it.

    Args:
        files: in the order in which they are merged; the last includes all others.
        settings: what comes out. What another class has replaced in it contradicts nothing.
    """
    own = [(file, dict(_places(file.settings))) for file in files]
    kept = dict(_places(settings))
    for key in dict.fromkeys(key for _, places in own for key in places):
        setters = _undecided([(file, places[key]) for file, places in own if key in places])
        (one, value), *others = setters
        for other, different in others:
            if different != value and key in kept:
                raise UserError(
                    f"include: {one.path} sets {'.'.join(key)} to {value!r} and {other.path} to {different!r}, and "
                    f"neither includes the other; set it in {files[-1].path}, or give one of the two its own --config"
                )


def _undecided(setters: list[tuple[File, Any]]) -> list[tuple[File, Any]]:
    """Those of the setters of one key that no other of them includes."""
    return [
        (file, value)
        for file, value in setters
        if not any(file.path.resolve() in other.includes for other, _ in setters if other is not file)
    ]


def _places(settings: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(key, value) at any depth; all mappings are one value, for below them their keys are compared."""
    if key:
        yield key, SETTINGS if isinstance(settings, dict) else settings
    if isinstance(settings, dict):
        for name, value in settings.items():
            yield from _places(value, (*key, str(name)))
