"""Where y or the truth lies, and what belongs to it: the file of every column, and the tensor's name there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dsg.data.examples import IMAGE, KERNEL, MASK, MEASUREMENT
from dsg.data.measured.partners import Partners, files_below
from dsg.data.measured.stored import ARRAYS, MEASURED, PICTURES, stored_names
from dsg.errors import UnreadableImage

OPTIONS = {MEASUREMENT: "measurements", IMAGE: "truth", MASK: "masks", KERNEL: "kernels"}
Place = tuple[Path, str]


class Places:
    """The files of a folder of measurements, or of the truth where measurements are yet to be made.

    Args:
        column: what the folder holds, MEASUREMENT or IMAGE.
        root: the folder.
        ending: of its files that count; None counts all.
        others: by column, the file or folder of what lies apart; it is not counted where it lies below `root`.

    Raises:
        UserError: for places that are missing or hold nothing of the kind, and for two measurements of one id.
    """

    def __init__(self, column: str, root: Path, ending: str | None, others: Mapping[str, str]) -> None:
        self.column = column
        endings = PICTURES | ARRAYS if ending is None else frozenset({ending.lower()})
        apart = [Path(place).expanduser() for place in others.values()]
        self.root = root
        self.files = files_below(root, endings, f"data.{OPTIONS[column]}", OPTIONS[column].removesuffix("s"), apart)
        self.partners = {
            column: Partners(place, f"data.{OPTIONS[column]}", OPTIONS[column].removesuffix("s"), PICTURES | ARRAYS)
            for column, place in others.items()
        }
        found = frozenset(name for path in self.files.values() for name in _names(path))
        self.inside = (found & {MASK, KERNEL}) - self.partners.keys()

    @property
    def columns(self) -> frozenset[str]:
        """What every example has: a file that lacks what others have beside y cannot be read."""
        return frozenset({self.column, *self.partners, *self.inside})

    def of(self, column: str, image_id: str) -> Place:
        """The file of a column, and the tensor's name there."""
        path = self.partners[column].of(image_id) if column in self.partners else self.files[image_id]
        return path, column if column in (MASK, KERNEL) else MEASURED

    def all(self, column: str, ids: Sequence[str]) -> list[Place]:
        """Those of many ids, each once."""
        return list(dict.fromkeys(self.of(column, image_id) for image_id in ids))


def _names(path: Path) -> frozenset[str]:
    try:
        return stored_names(path)
    except UnreadableImage:  # it fails by name when it is read
        return frozenset()
