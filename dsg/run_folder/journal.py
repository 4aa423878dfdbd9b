"""The rows of a run as they are finished: what a killed run continues from.

rows/rank<r>.jsonl       a line per sample, appended by each rank to a file of its own
rows/left_out.json       ids that the journal knows and the last start did not ask for; absent if there are none
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.run_folder.atomic import write_atomically
from dsg.run_folder.lines import append_lines, read_lines

Row = dict[str, Any]
"""One sample's `id`, `sample` (its number), `status`, the number of the `start` that made it, and what callbacks
measured of it."""


class Journal:
    """Rows, appended after their pictures are on the disk.

    Args:
        folder: where its files are; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._list = folder / "left_out.json"

    def append(self, rows: Sequence[Row], rank: int = 0) -> None:
        """Append a rank's rows, and wait until they are on the disk.

        Raises:
            TypeError: for what `rows` would not take for a row.
            UserError: if the file cannot be written or the disk is full.
        """
        if wrong := [row for row in rows if not _is_row(row)]:
            raise TypeError(f"a row has id, sample, status and plain values, got {wrong[0]}")
        append_lines(self.folder / f"rank{rank}.jsonl", rows)

    def rows(self) -> list[Row]:
        """Every finished row of all ranks, sorted by id and sample number; a line that is no row, half-written or
        whatever else, is as if never begun.
        """
        found: dict[tuple[str, int], Row] = {}
        for file in sorted(self.folder.glob("rank*.jsonl")):
            for row in filter(_is_row, read_lines(file)):
                key = (row["id"], row["sample"])
                if key not in found or _worth(row) > _worth(found[key]):
                    found[key] = row
        return [found[key] for key in sorted(found)]

    def rows_asked_for(self) -> list[Row]:
        """`rows` without the images that were left out.

        Raises:
            UserError: if the list of those is damaged.
        """
        try:
            left_out = set(self._left_out())
        except ValueError as error:
            raise UserError(f"run_dir: {self._list} is damaged; continue the run, which makes it again") from error
        return [row for row in self.rows() if row["id"] not in left_out]

    def leave_out_all_but(self, ids: Iterable[str]) -> None:
        """Rows of other images stay in the journal, and count again as soon as they are asked for again."""
        left_out = sorted({row["id"] for row in self.rows()}.difference(ids))
        try:
            if left_out == self._left_out():
                return
        except ValueError:
            pass  # it is damaged, and made again
        write_atomically(self._list, json.dumps(left_out).encode())

    def _left_out(self) -> list[str]:
        """Raises ValueError where the file is damaged."""
        found = json.loads(self._list.read_text(encoding="utf-8")) if self._list.exists() else []
        if not (isinstance(found, list) and all(isinstance(name, str) for name in found)):
            raise ValueError("no list of ids")
        return found


def _is_row(found: dict[str, Any]) -> bool:
    """Whether an object is what a run writes of a sample: its id, number and status, and plain values."""
    kinds = {"id": str, "sample": int, "status": str}
    return all(type(found.get(name)) is kind for name, kind in kinds.items()) and not any(
        isinstance(value, dict | list) for value in found.values()
    )


def _worth(row: Row) -> tuple[bool, float]:
    """Of two rows of one sample the finished one counts, and of two finished ones that of the later start: its picture
    was made again.
    """
    start = row.get("start")
    return row["status"] == "ok", start if isinstance(start, int) else 0
