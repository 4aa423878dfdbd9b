"""The rows of a run as they are finished: what a killed run continues from.

rows/rank<r>.jsonl       a line per sample, appended by each rank to a file of its own
rows/left_out.json       ids that the journal knows and the last start did not ask for; absent if there are none
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.run_folder.atomic import cannot_write, write_atomically

Row = dict[str, Any]
"""One sample's `id`, `sample` (its number), `status`, and what callbacks measured of it."""


class Journal:
    """Rows, appended after their pictures are on the disk.

    Args:
        folder: where its files are; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._list = folder / "left_out.json"

    def append(self, rows: Sequence[Row], rank: int = 0) -> None:
        """Append a rank's rows, and wait until they are on the disk."""
        file = self.folder / f"rank{rank}.jsonl"
        text = "".join(json.dumps(row) + "\n" for row in rows)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # one write, after a newline of its own if a killed run left half a line
            with file.open("ab") as handle:
                torn = handle.tell() > 0 and not _ends_with_newline(file)
                handle.write(b"\n" * torn + text.encode())
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise cannot_write(file, error) from error

    def rows(self) -> list[Row]:
        """Every finished row of all ranks, sorted by id and sample number; a half-written line is as if never begun.

        Raises:
            UserError: at a line that no run has written.
        """
        found: dict[tuple[str, int], Row] = {}
        for file in sorted(self.folder.glob("rank*.jsonl")):
            for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if not (isinstance(row, dict) and {"id", "sample", "status"} <= row.keys()):
                    raise UserError(
                        f"run_dir: {file} holds a line that is no row of a run; take it away, and continue the run"
                    )
                key = (row["id"], row["sample"])
                if key not in found or found[key]["status"] != "ok":
                    found[key] = row
        return [found[key] for key in sorted(found)]

    def rows_asked_for(self) -> list[Row]:
        """`rows` without the images that were left out."""
        left_out = set(self._left_out())
        return [row for row in self.rows() if row["id"] not in left_out]

    def leave_out_all_but(self, ids: Iterable[str]) -> None:
        """Rows of other images stay in the journal, and count again as soon as they are asked for again."""
        left_out = sorted({row["id"] for row in self.rows()}.difference(ids))
        if left_out != self._left_out():
            write_atomically(self._list, json.dumps(left_out).encode())

    def _left_out(self) -> list[str]:
        try:
            return json.loads(self._list.read_text(encoding="utf-8")) if self._list.exists() else []
        except ValueError as error:
            raise UserError(f"run_dir: {self._list} is damaged; delete it, and continue the run") from error


def _ends_with_newline(file: Path) -> bool:
    with file.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) == b"\n"
