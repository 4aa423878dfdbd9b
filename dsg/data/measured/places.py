"""Where y lies, and what belongs to it: the file of every column, and the tensor's name there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dsg.data.examples import IMAGE, KERNEL, MASK, MEASUREMENT
from dsg.data.measured.partners import Partners, files_below
from dsg.data.measured.stored import ARRAYS, MEASURED, PICTURES, stored_names
from dsg.errors import UnreadableImage

OPTIONS = {IMAGE: "truth", MASK: "masks", KERNEL: "kernels"}
Place = tuple[Path, str]


class Places:
    """The files of a folder of measurements.

    Args:
        root: the folder.
        ending: of the measurements that count; None counts all.
        others: by column, the file or folder of what lies apart; it is no measurement, where it lies below `root`.

    Raises:
        UserError: for places that are missing or hold nothing of the kind, and for two measurements of one id.
    """

    def __init__(self, root: Path, ending: str | None, others: Mapping[str, str]) -> None:
        endings = PICTURES | ARRAYS if ending is None else frozenset({ending.lower()})
        apart = [Path(place).expanduser() for place in others.values()]
        self.files = files_below(root, endings, "data.measurements", "measurement", apart)
        self.partners = {
            column: Partners(place, f"data.{OPTIONS[column]}", OPTIONS[column].removesuffix("s"), PICTURES | ARRAYS)
            for column, place in others.items()
        }
        found = frozenset(name for path in self.files.values() for name in _names(path))
        self.inside = (found & {MASK, KERNEL}) - self.partners.keys()

    @property
    def columns(self) -> frozenset[str]:
        """What every example has: what some measurements have beside y, and others have not, these lack."""
        return frozenset({MEASUREMENT, *self.partners, *self.inside})

    def of(self, column: str, image_id: str) -> Place:
        """The file of a column, and the tensor's name there."""
        if column in self.partners:
            return self.partners[column].of(image_id), MEASURED if column == IMAGE else column
        return self.files[image_id], MEASURED if column == MEASUREMENT else column

    def all(self, column: str, ids: Sequence[str]) -> list[Place]:
        """Those of many ids, each once."""
        return list(dict.fromkeys(self.of(column, image_id) for image_id in ids))


def _names(path: Path) -> frozenset[str]:
    try:
        return stored_names(path)
    except UnreadableImage:  # it fails by name when it is read
        return frozenset()
