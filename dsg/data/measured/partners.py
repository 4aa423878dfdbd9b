"""Files by id: one for every measurement, or one for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsg.data.images_below import images_below
from dsg.errors import UserError


def files_below(
    root: Path, suffixes: frozenset[str], option: str, what: str, others: Sequence[Path] = ()
) -> dict[str, Path]:
    """Id → file, sorted; an id is a path below `root` without ending.

    Args:
        root: the folder.
        suffixes: the endings that count.
        option: which option named it, for errors.
        what: what it holds, for errors.
        others: files and folders that are left out.

    Raises:
        UserError: for a folder that is missing or has no such files, and for two files of one id.
    """
    found: dict[str, Path] = {}
    for name, path in images_below(root, suffixes, option, what).items():
        if any(path.resolve().is_relative_to(other.resolve()) for other in others):
            continue
        image_id = Path(name).with_suffix("").as_posix()
        if image_id in found:
            raise UserError(
                f"{option}: {found[image_id]} and {path} share the id {image_id}; rename one of them, or say which "
                "ending counts in data.ending"
            )
        found[image_id] = path
    if not found:
        raise UserError(f"{option}: all files below {root} are named as something else; give a folder of its own")
    return found


class Partners:
    """What belongs to each measurement: the one file `place`, or the file of the same id below the folder `place`.

    Args:
        place: a file or a folder.
        option: which option named it.
        what: what it holds.
        suffixes: the endings that count.

    Raises:
        UserError: if there is no such place, or it holds nothing of the kind.
    """

    def __init__(self, place: str, option: str, what: str, suffixes: frozenset[str]) -> None:
        path = Path(place).expanduser()
        self.option, self.place, self.what = option, path, what
        self.one = path if path.is_file() else None
        if self.one is not None and path.suffix.lower() not in suffixes:
            raise UserError(f"{option}: {path} is no {what} ({', '.join(sorted(suffixes))})")
        self._files = files_below(path, suffixes, option, what) if self.one is None else {}

    def of(self, image_id: str) -> Path:
        """The file of one measurement."""
        return self._files[image_id] if self.one is None else self.one

    def has(self, image_id: str) -> bool:
        """Whether there is one."""
        return self.one is not None or image_id in self._files

    def require(self, ids: Sequence[str]) -> None:
        """Raise UserError unless every measurement has its file."""
        missing = [image_id for image_id in ids if not self.has(image_id)]
        if missing:
            raise UserError(
                f"{self.option}: {self.place} has no {self.what} of {len(missing)} of {len(ids)} measurements, the "
                f"first is {missing[0]}; give it the measurement's name, or take the measurement away"
            )
