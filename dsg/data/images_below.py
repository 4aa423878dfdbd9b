"""The image files of a folder, at any depth."""

from __future__ import annotations

import os
from pathlib import Path

from dsg.data.image_file import SUFFIXES
from dsg.errors import UserError


def images_below(
    root: Path, suffixes: frozenset[str] = SUFFIXES, option: str = "data.root", what: str = "image"
) -> dict[str, Path]:
    """Path below `root` → file, of every image there, sorted. Hidden files (.name) are left out.

    Args:
        root: the folder.
        suffixes: the endings, in small letters.
        option: which option named the folder, for errors.
        what: what it holds, for errors.

    Raises:
        UserError: for a folder that is missing or has no images, and for a name that is not UTF-8.
    """
    if not root.is_dir():
        raise UserError(f"{option}: no folder at {root}; give the folder that holds the {what}s")
    files: dict[str, Path] = {}
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in suffixes and p.is_file()):
        if path.name.startswith("."):  # macOS leaves such files beside every image
            continue
        name = path.relative_to(root).as_posix()
        if not _is_text(name):
            raise UserError(f"{option}: the name {os.fsencode(path)!r} is not UTF-8; rename the file")
        files[name] = path
    if not files:
        raise UserError(f"{option}: no {what} ({', '.join(sorted(suffixes))}) below {root}")
    return files


def _is_text(name: str) -> bool:
    """Whether the bytes of a file's name were UTF-8; streams and rows are named after it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
