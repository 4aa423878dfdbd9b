"""A suite: comparisons in chapters, whose settings a hash seals."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.command.files import read
from dsg.command.merge import Settings
from dsg.command.shipped import find_config
from dsg.comparison.entries import read_with_entries
from dsg.errors import UserError

EXAMPLE = "configs/bench/small.yaml is an example"
OF_NO_RESULT = ("progress", "diagnostics", "timing", "watch", "provenance")
"""Sections of a run's settings on which neither a sample nor a metric depends."""
OF_A_METHOD = ("methods", "unfit", "published")
"""What a comparison says of methods, and not of what they are asked."""


@dataclass(frozen=True)
class Chapter:
    """One comparison of the suite.

    Args:
        name: of its folder.
        title: as the page has it.
        settings: the comparison's file, with all that it includes, as `compare` takes it.
    """

    name: str
    title: str
    settings: Settings

    @property
    def methods(self) -> dict[str, Settings]:
        """The project's own, with the values that they are tuned over here."""
        found = self.settings["comparison"].get("methods") or {}
        return {name: entry for name, entry in found.items() if entry is not None}

    def sealed(self) -> Settings:
        """What every submission has in common: tasks, data, tuning and its budget, metrics; no method."""
        kept = deepcopy(self.settings)
        comparison = {key: value for key, value in kept.pop("comparison").items() if key not in OF_A_METHOD}
        for kind in ("tasks", "settings"):
            if kind in comparison:
                comparison[kind] = {
                    name: _with_effect(entry) for name, entry in comparison[kind].items() if entry is not None
                }
        comparison["tuning"] = _with_effect(comparison.get("tuning") or {})
        return {"title": self.title, "comparison": comparison, **_with_effect(kept)}


@dataclass(frozen=True)
class Suite:
    """What everybody runs.

    Args:
        name: `small`, `full`, or of a suite of one's own.
        version: to be raised by whoever changes a setting.
        chapters: at least one.
    """

    name: str
    version: int
    chapters: list[Chapter]

    def sealed(self) -> dict[str, Any]:
        """Its name, its version, the sealed settings of each chapter, and their hash."""
        chapters = {chapter.name: chapter.sealed() for chapter in self.chapters}
        return {"name": self.name, "version": self.version, "hash": digest(chapters), "chapters": chapters}


def read_suite(name: str) -> Suite:
    """The suite at a path, or the shipped one of that name.

    Raises:
        UserError: for files that cannot be read, or that describe no suite.
    """
    file = Path(name) if Path(name).is_file() else find_config(f"bench/{name}")
    section = read([file]).get("bench")
    if not isinstance(section, dict) or not {"name", "version", "chapters"} <= section.keys():
        raise UserError(f"--suite: {file} must hold bench: {{name, version, chapters}}; {EXAMPLE}")
    if not isinstance(section["version"], int):
        raise UserError(f"--suite: {file}: bench.version must be a whole number, got {section['version']!r}")
    chapters = section["chapters"]
    if not isinstance(chapters, dict) or not chapters:
        raise UserError(f"--suite: {file}: bench.chapters must hold `name: {{title, comparison}}`; {EXAMPLE}")
    return Suite(str(section["name"]), section["version"], [_chapter(n, e, file) for n, e in chapters.items()])


def digest(content: Any) -> str:
    """SHA-256 of what JSON can hold, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _chapter(name: str, entry: Any, file: Path) -> Chapter:
    if not isinstance(entry, dict) or not isinstance(entry.get("comparison"), str):
        raise UserError(f"--suite: {file}: bench.chapters.{name} names no `comparison`, a file; {EXAMPLE}")
    settings = read_with_entries([file.parent / entry["comparison"]])
    if not isinstance(settings.get("comparison"), dict):
        raise UserError(f"--suite: {file.parent / entry['comparison']} holds no `comparison`; {EXAMPLE}")
    tuning = settings["comparison"].get("tuning")
    if not isinstance(tuning, dict) or "candidates" not in (tuning.get("budget") or {}):
        raise UserError(
            f"--suite: {file.parent / entry['comparison']}: comparison.tuning.budget must be {{candidates: N}}, the "
            "same for everybody who takes part"
        )
    return Chapter(name, str(entry.get("title", name)), settings)


def _with_effect(settings: Mapping[str, Any]) -> Settings:
    """`settings` of a run without those on which no number depends, as how many images a batch has."""
    kept = {key: value for key, value in settings.items() if key not in (*OF_NO_RESULT, "trainer")}
    if (precision := (settings.get("trainer") or {}).get("precision")) is not None:
        kept["trainer"] = {"precision": precision}
    if isinstance(data := kept.get("data"), dict) and isinstance(arguments := data.get("init_args"), dict):
        arguments = {key: value for key, value in arguments.items() if key not in ("batch_size", "num_workers")}
        kept["data"] = {**data, "init_args": arguments}
    return kept
