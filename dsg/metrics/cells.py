"""Images divided into cells: by classes, by traits of portraits, by columns of metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dsg.errors import UserError

LEAST = 2  # images of a cell: half of them choose, half judge
AND = "+"  # between columns that make cells together


@dataclass(frozen=True)
class Cells:
    """A division of images.

    Args:
        by: the column, or several as `hat+beard`, whose combinations are the cells.
        of: image id: the name of its cell.
    """

    by: str
    of: Mapping[str, str]

    @classmethod
    def divide(cls, by: str, columns: Mapping[str, Mapping[str, int | float | str]], where: str) -> Cells:
        """By `columns`, name → image id → value.

        Raises:
            UserError: naming the option `where`, for a column that is not there or has one value alone, for an image
                without a value, and for cells with fewer than two images.
        """
        names = by.split(AND)
        for name in names:
            if name not in columns:
                known = f"there are {', '.join(columns)}" if columns else "it knows none before images are read"
                raise UserError(f"{where}: the data knows no column {name!r} of its images; {known}")
            if len(set(columns[name].values())) < 2:
                (value,) = set(columns[name].values()) or {"none"}
                raise UserError(
                    f"{where}: all images have the same {name}, {value}; take a column of two values or more"
                )
        ids = list(dict.fromkeys(image_id for name in names for image_id in columns[name]))
        if lost := [(i, name) for i in ids for name in names if i not in columns[name]]:
            raise UserError(f"{where}: the image {lost[0][0]} has no {lost[0][1]}; give every image one")
        divided = cls(by, {i: ", ".join(_named(name, columns[name][i]) for name in names) for i in ids})
        divided.check_sizes(where)
        return divided

    @classmethod
    def merged(cls, parts: Sequence[Cells]) -> Cells:
        """One division of the images of all `parts`. Raises UserError where they disagree on an image."""
        of: dict[str, str] = {}
        for part in parts:
            for image_id, name in part.of.items():
                if of.setdefault(image_id, name) != name:
                    raise UserError(
                        f"cells by {part.by}: the image {image_id} is {of[image_id]!r} in one run and {name!r} in "
                        "another; look at runs of the same images"
                    )
        return cls(parts[0].by, of)

    @property
    def names(self) -> list[str]:
        """Of the cells, sorted."""
        return sorted(set(self.of.values()))

    def sizes(self, ids: Iterable[str]) -> Counter[str]:
        """How many of the images are in each cell, 0 among them."""
        found = Counter(dict.fromkeys(self.names, 0))
        found.update(self.of[image_id] for image_id in ids if image_id in self.of)
        return found

    def too_small(self, ids: Iterable[str]) -> str:
        """In words, which cells have fewer than two of the images; empty if none."""
        small = {name: count for name, count in self.sizes(ids).items() if count < LEAST}
        if not small:
            return ""
        name, count = min(small.items(), key=lambda item: item[1])
        if len(small) == 1:
            return f"the cell {name!r} has fewer than {LEAST} images ({count})"
        return f"{len(small)} cells have fewer than {LEAST} images ({count} of {name!r})"

    def check_sizes(self, where: str, ids: Iterable[str] | None = None) -> None:
        """Raise UserError, naming the option `where`, if a cell has fewer than two of the images (of all)."""
        if small := self.too_small(self.of if ids is None else ids):
            raise UserError(
                f"{where}: by {self.by} {small}, and half of a cell's images judge what the other half chooses; take "
                "more images, or a column of fewer values"
            )

    def numbered(self, ids: Sequence[str]) -> np.ndarray:
        """Of each image the place of its cell among `names`, (n,)."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place[self.of[image_id]] for image_id in ids], dtype=np.int64)


def _named(column: str, value: int | float | str) -> str:
    """`glasses beard hat` of a label that says itself what it is; `beard full`, `label 3`."""
    return f"{value}" if column == "label" and isinstance(value, str) else f"{column} {value}"
