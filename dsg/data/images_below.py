"""The image files of a folder, at any depth: of the data and of the reference alike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dsg.data.image_file import SUFFIXES
from dsg.errors import UserError
from dsg.run_folder.marks import holds_results

JUNK = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
"""Folders that systems leave beside people's own: archives of macOS, thumbnails of a NAS, bins."""

Place = tuple[int, int]  # a folder on the disk, whatever path leads to it


def images_below(
    root: Path, suffixes: frozenset[str] = SUFFIXES, option: str = "data.root", what: str = "image"
) -> dict[str, Path]:
    """Path below `root` → file, of every image there, sorted by the parts of its path.

    Links to files and folders are followed; a folder that holds itself by a link is not entered again. Left out are
    hidden files and folders (.name), what systems leave behind (`JUNK`), and folders that runs and comparisons wrote.
    An image that is a link to nothing is there, and cannot be read.

    Args:
        root: the folder.
        suffixes: the endings, in small letters.
        option: which option named the folder, for errors.
        what: what it holds, for errors.

    Raises:
        UserError: for a folder that is missing, is a run's, cannot be read or has no images; for a name that is not
            UTF-8.
    """
    if not root.is_dir():
        raise UserError(f"{option}: no folder at {root}; give the folder that holds the {what}s")
    if holds_results(root, [entry.name for entry in _seen(root, option)]):
        raise UserError(
            f"{option}: {root} is the folder of a run or a comparison; give the folder that holds the {what}s, or the "
            "folder `samples` of a run for what it made"
        )
    files = {path.relative_to(root).as_posix(): path for path in _images(root, (), suffixes, option)}
    if not files:
        raise UserError(
            f"{option}: no {what} ({', '.join(sorted(suffixes))}) below {root}; hidden folders and those of runs are "
            "left out"
        )
    if odd := next((path for name, path in files.items() if not _is_text(name)), None):
        raise UserError(f"{option}: the name {os.fsencode(odd)!r} is not UTF-8; rename the file")
    return {name: files[name] for name in sorted(files, key=lambda name: name.split("/"))}


def is_hidden(name: str) -> bool:
    """Whether nobody sees a file or folder of this name, or nobody put it there."""
    return name.startswith(".") or name in JUNK


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in `folder` that `images_below` looks into, and of links to nothing, sorted."""
    names = [entry.name for entry in _seen(folder, "data.root") if _is_folder(entry) or not Path(entry.path).exists()]
    return sorted(name for name in names if not _is_left_out(folder / name))


def _is_left_out(folder: Path) -> bool:
    """Whether a folder is a run's or a comparison's, or a link to one that it lies in."""
    if not folder.is_dir():
        return False
    leads_up = folder.parent.resolve().is_relative_to(folder.resolve())
    return leads_up or holds_results(folder, {path.name for path in folder.iterdir()})


def _images(folder: Path, above: tuple[Place, ...], suffixes: frozenset[str], option: str) -> Iterator[Path]:
    """The images of one folder and those below; `above` are the folders that it lies in, where links were followed."""
    state, seen = folder.stat(), _seen(folder, option)
    place = (state.st_dev, state.st_ino)
    if place in above or (above and holds_results(folder, {entry.name for entry in seen})):
        return
    for entry in seen:
        path = folder / entry.name
        if _is_folder(entry):
            yield from _images(path, (*above, place), suffixes, option)
        elif path.suffix.lower() in suffixes and (entry.is_symlink() or entry.is_file()):
            yield path


def _seen(folder: Path, option: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_hidden(entry.name)]
    except OSError as error:
        raise UserError(
            f"{option}: cannot read {folder}: {error.strerror}; make it readable, or move it away"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_text(name: str) -> bool:
    """Whether the bytes of a file's name were UTF-8; streams and rows are named after it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
