"""Settings from YAML files that include others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import NoneType

from dsg import yaml_text
from dsg.command.contradictions import File, refuse_contradictions
from dsg.command.merge import Settings, merge
from dsg.command.shipped import find_config, shipped_as
from dsg.errors import UserError

Prepare = Callable[[Settings, Path, frozenset[Path]], Settings]
"""(a file's settings, the file, the files below it) → its settings, ready to be merged."""


def read(files: Sequence[str | Path], below: frozenset[Path] = frozenset(), prepare: Prepare | None = None) -> Settings:
    """The settings of `files` and of all that they include.

    A file overrides those that it includes, and each of `files` those before it. A file that several include is read
    once, below all of them. The files of one `include` list have no order: they may not contradict each other, unless
    one includes the other or a file that includes both decides.

    Args:
        files: paths, or names of shipped ones (`find_config`); the later over the earlier.
        below: files whose settings these are to be merged over; what includes them does not bring them again.
        prepare: what is done to each file's settings first.

    Raises:
        UserError: for a file that is missing or holds no settings, a circle, and files that contradict each other.
    """
    settings: Settings = {}
    for root in files:
        order = list(_in_order(find_config(root)).values())
        settings = _over(settings, order, below, prepare)
        below |= order[-1].includes
    return settings


def read_included(content: Settings, key: str, file: Path, below: frozenset[Path]) -> Settings:
    """`content`, a part of `file` at `key`, over the files that its own `include` names; else as `read`."""
    found = _all_included(content, f"{key}.include", file)
    whole = File(file, _without_include(content, file), frozenset([*found, file.resolve()]))
    return _over({}, [*found.values(), whole], below, None)


def _over(settings: Settings, order: Sequence[File], below: frozenset[Path], prepare: Prepare | None) -> Settings:
    """`settings` under the files of `order` that are not `below` them already; the last is there on purpose."""
    ready = []
    for file in order:
        path = file.path.resolve()
        own = prepare(file.settings, file.path, below) if prepare else file.settings
        ready.append(replace(file, settings=own))
        if path not in below or file is order[-1]:
            settings = merge(settings, own)
            below |= {path}
    refuse_contradictions(ready, settings)
    return settings


def _in_order(file: Path, within: tuple[Path, ...] = ()) -> dict[Path, File]:
    """`file` after all that it includes, depth first, each file once."""
    path = file.resolve()
    if path in within:
        raise UserError(f"include: {file} includes itself, by way of {within[-1]}; break the circle")
    content = _load(file, f", included by {within[-1]}" if within else "")
    found = _all_included(content, "include", file, (*within, path))
    found[path] = File(file, _without_include(content, file), frozenset([*found, path]))
    return found


def _all_included(content: Settings, key: str, file: Path, within: tuple[Path, ...] = ()) -> dict[Path, File]:
    """Every file below `content`, which stands in `file`, once."""
    names = content.get("include") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{key}: must be a list of files in {file}, got {names!r}")
    found: dict[Path, File] = {}
    for name in names:
        beside = file.parent / name
        named = not name.endswith((".yaml", ".yml")) and not beside.is_file() and shipped_as(name)
        included = find_config(name) if named else beside
        for path, each in _in_order(included, within).items():
            found.setdefault(path, each)
    return found


def _without_include(content: Settings, file: Path) -> Settings:
    """What `file` says itself; its table of strengths is relative to it, as an included file is."""
    own = {name: value for name, value in content.items() if name != "include"}
    if isinstance(own.get("strengths"), str):
        own["strengths"] = os.path.normpath(file.parent / own["strengths"])
    return own


def _load(file: Path, by: str) -> Settings:
    if not file.is_file():
        raise UserError(f"--config: no file at {file}{by}")
    try:
        content = yaml_text.load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config: cannot read {file}{by}: {error.strerror}") from error
    except (yaml_text.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--config: {file} is not YAML{by}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict | NoneType):
        raise UserError(f"--config: {file} holds no settings (`key: value`){by}, but {type(content).__name__}")
    return content or {}
