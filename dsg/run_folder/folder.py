"""The run folder: pictures and rows that are whole or absent, whatever ends the run.

config.yaml              the settings
provenance.jsonl         a line a start: code, versions, weights, machine
samples/<id>.png         reconstructions, [−1, 1] clipped to 8 bits; of another medium with its own ending
measurements/<id>.png    how the measurements look
rows/rank<r>.jsonl       the journal: a line per sample, appended after its pictures are on the disk
rows/left_out.json       ids that the journal knows and the last start did not ask for; absent if there are none
per_image.csv            the journal's rows, sorted; made when a run ends
metrics.json             their means with intervals; made when a run ends
trace.json               what happened along the first trajectories (`dsg.run_folder.trace_file`)
.lock                    held by the run that is going on; left behind by one that was killed
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

from dsg import yaml_text
from dsg.errors import UserError
from dsg.run_folder.atomic import write_atomically
from dsg.run_folder.journal import Journal, Row
from dsg.run_folder.lock import LOCK, Lock
from dsg.run_folder.provenance import Provenance
from dsg.run_folder.settings import SettingsFile, changes

TABLE = "per_image.csv"
METRICS = "metrics.json"


class RunFolder:
    """One evaluation's folder.

    Args:
        path: the folder; made when it is first written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.journal = Journal(self.path / "rows")
        self.provenance = Provenance(self.path)
        self._settings = SettingsFile(self.path)
        self._lock = Lock(self.path / LOCK)

    def open(
        self,
        settings: dict[str, Any],
        ignored: Sequence[str] = (),
        noted: Sequence[str] = (),
        summarising: Sequence[str] = (),
        fresh: bool = False,
    ) -> None:
        """Begin, or continue what an earlier run of the same settings left; one rank does, before any samples. Until
        `close` or the process's end no other run can.

        Args:
            settings: the resolved configuration, plain YAML types.
            ignored: dotted keys that may differ, because no result depends on them.
            noted: dotted keys that may differ, because no row depends on them; config.yaml tells the new value.
            summarising: the same, of what metrics.json depends on: where one differs it is to be made again.
            fresh: begin anew; what an earlier run left is kept, as <path>.1 or the next number that is free.

        Raises:
            UserError: if the folder holds results of other settings, naming each difference, cannot be written, or is
                in use.
        """
        if fresh and self._settings.path.exists():
            self._lock.take()
            self._set_aside()
            self.close()
        self._settings.read()  # a folder of other things is left alone
        self._lock.take()
        settings = yaml_text.load(yaml_text.dump(settings))  # as they will be read
        if (old := self._settings.read()) is not None:
            if not any(changes(old, settings, ignored)):
                return
            other = list(changes(old, settings, [*ignored, *noted, *summarising]))
            if other and self.journal.rows():
                raise UserError(
                    f"run_dir: {self.path} holds results of other settings: {'; '.join(other)}; "
                    "use those settings or another run_dir (--out_dir of compare), or begin anew with --fresh"
                )
            if any(changes(old, settings, [*ignored, *noted])):
                (self.path / METRICS).unlink(missing_ok=True)
        self._settings.write(settings)

    def close(self) -> None:
        """Let other runs have the folder."""
        self._lock.release()

    def in_use(self) -> str | None:
        """Who has the folder, in a line; None where nobody has, or where the file system has no locks."""
        if not self.path.is_dir():
            return None
        try:
            self._lock.take(patience=0.0)
        except UserError as error:
            return str(error)
        self.close()
        return None

    def settings(self) -> dict[str, Any] | None:
        """What config.yaml says; None in a folder that is new or empty.

        Raises:
            UserError: if it is damaged, or the folder holds other things.
        """
        return self._settings.read()

    def _set_aside(self) -> None:
        if Path.cwd().is_relative_to(self.path.resolve()):
            raise UserError(f"--fresh: renames {self.path.resolve()}, and you are in it; go to another folder first")
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        try:
            self.path.rename(aside)
            (aside / LOCK).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"--fresh: cannot rename {self.path} to {aside}: {error.strerror}; choose another run_dir"
            ) from error

    def ask_for(
        self, keys: Iterable[tuple[str, int]], files: Callable[[str, int], Iterable[str]]
    ) -> frozenset[tuple[str, int]]:
        """Say what is evaluated from now on, and learn what is done: `rows` leaves out images that an earlier start
        did and this one does not ask for. Their journal and files stay; asked for again, they count again.

        Args:
            keys: (id, sample number) of what is evaluated.
            files: what there must be of an id and a sample, as paths below this folder. What has a row and lacks a
                file, since somebody took it away, is not done.

        Raises:
            UserError: if two ids differ in case alone, or in how their accents are written, and would be one file here.
        """
        keys = list(keys)
        self._check_case(dict.fromkeys(image_id for image_id, _ in keys))
        self.journal.leave_out_all_but(image_id for image_id, _ in keys)
        there = self._names("samples") | self._names("measurements")
        return frozenset(key for key in self.done() if there.issuperset(files(*key)))

    def _check_case(self, ids: Iterable[str]) -> None:
        if not ignores_case(self._settings.path):
            return
        found: dict[str, str] = {}
        for image_id in ids:
            other = found.setdefault(normalize("NFC", image_id).casefold(), image_id)
            if other != image_id:
                raise UserError(
                    f"run_dir: {self.path} is on a disk where the images {other} and {image_id} would be one file; "
                    "rename one, or choose a run_dir on another disk"
                )

    def _names(self, kind: str) -> set[str]:
        """The files of a kind, as paths below the run folder; it is looked through once, not once a sample."""
        return {
            (Path(folder) / name).relative_to(self.path).as_posix()
            for folder, _, names in os.walk(self.path / kind)
            for name in names
        }

    def picture_path(self, kind: str, image_id: str, sample: int, suffix: str = ".png") -> Path:
        """Where a picture of `kind` (`samples`, `measurements`) is, for any id that stays inside the run folder."""
        name = image_id if sample == 0 else f"{image_id}.{sample}"
        path = self.path / kind / f"{name}{suffix}"
        if not _leads_into(path.parent, self.path / kind):
            raise UserError(f"data: the image id {image_id!r} leads out of the run folder; rename the image")
        return path

    def append(self, rows: Sequence[Row], rank: int = 0) -> None:
        """Append rows to a rank's journal, and wait until they are on the disk."""
        self.journal.append(rows, rank)

    def rows(self) -> list[Row]:
        """Every finished row of the images asked for, sorted by id and sample number."""
        return self.journal.rows_asked_for()

    def done(self) -> frozenset[tuple[str, int]]:
        """(id, sample number) of what need not be sampled again. Images that failed are tried again."""
        return frozenset((row["id"], row["sample"]) for row in self.rows() if row["status"] == "ok")

    def failed(self) -> frozenset[tuple[str, int]]:
        """(id, sample number) of what could not be read or sampled."""
        return frozenset((row["id"], row["sample"]) for row in self.rows() if row["status"] != "ok")

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json, and last per_image.csv from the journal."""
        write_atomically(self.path / METRICS, (json.dumps(metrics, indent=2) + "\n").encode())
        write_atomically(self.path / TABLE, self._table())

    def is_finished(self) -> bool:
        """Whether per_image.csv holds what the journal does, and metrics.json all metrics: not if a run was killed or
        interrupted before it wrote its summary.
        """
        table, metrics = self.path / TABLE, self.path / METRICS
        if not (table.is_file() and metrics.is_file()) or table.read_bytes() != self._table():
            return False
        try:
            found = json.loads(metrics.read_text(encoding="utf-8"))
        except ValueError:
            return False
        return isinstance(found, dict) and not found.get("interrupted", False)

    def _table(self) -> bytes:
        rows = self.rows()
        measured = dict.fromkeys(name for row in rows for name in row if name not in ("id", "sample", "status"))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, ["id", "sample", *measured, "status"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return table.getvalue().encode()


def ignores_case(file: Path) -> bool:
    """Whether the disk that `file` lies on takes its name in capitals for the same."""
    return file.with_name(file.name.swapcase()).exists()


@lru_cache(1024)  # to ask the disk takes as long as to encode a small picture, and folders are few
def _leads_into(folder: Path, outer: Path) -> bool:
    return folder.resolve().is_relative_to(outer.parent.resolve() / outer.name)
