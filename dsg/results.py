"""The run folder: pictures and rows that are whole or absent, whatever ends the run.

config.yaml              the settings, with version, git state and device in its head
samples/<id>.png         reconstructions, [−1, 1] clipped to 8 bits
measurements/<id>.png    how the measurements look
rows/rank<r>.jsonl       the journal: a line per sample, appended after its pictures are on the disk
per_image.csv            the journal's rows, sorted; made when a run ends
metrics.json             their means with intervals; made when a run ends
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from dsg.atomic import cannot_write, is_temporary, write_atomically
from dsg.errors import UserError

Row = dict[str, Any]
SETTINGS = "config.yaml"
JOURNAL = "rows"
TABLE = "per_image.csv"
METRICS = "metrics.json"


class RunFolder:
    """One evaluation's folder.

    Args:
        path: the folder; made when it is first written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def open(self, settings: dict[str, Any], head: str = "", ignored: Sequence[str] = ()) -> None:
        """Begin, or continue what an earlier run of the same settings left.

        Args:
            settings: the resolved configuration, plain YAML types.
            head: comment lines for the top of config.yaml.
            ignored: dotted keys that may differ, because results do not depend on them.

        Raises:
            UserError: if the folder holds results of other settings, naming each difference, or cannot be written.
        """
        file = self.path / SETTINGS
        settings = yaml.safe_load(yaml.safe_dump(settings))
        if (old := self._settings()) is not None:
            differences = list(_differences(old, settings, ignored))
            if not differences:
                return
            if self.rows():
                raise UserError(
                    f"run_dir: {self.path} holds results of other settings: {'; '.join(differences)}; "
                    "use those settings or another run_dir"
                )
        write_atomically(file, (head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)).encode())

    def _settings(self) -> dict[str, Any] | None:
        """What config.yaml says; None in a folder that is new or empty."""
        file = self.path / SETTINGS
        try:
            if file.exists():
                return yaml.safe_load(file.read_text(encoding="utf-8"))
            # another rank may be writing config.yaml at this moment
            foreign = self.path.exists() and any(not is_temporary(path) for path in self.path.iterdir())
        except NotADirectoryError as error:
            raise UserError(f"run_dir: {self.path} is a file; choose another run_dir") from error
        except OSError as error:
            raise UserError(f"run_dir: cannot read {error.filename}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"run_dir: {file} is damaged; restore it or choose another run_dir") from error
        if foreign:
            raise UserError(f"run_dir: {self.path} is not empty and no run folder; choose another run_dir")
        return None

    def picture_path(self, kind: str, image_id: str, sample: int, suffix: str = ".png") -> Path:
        """Where a picture of `kind` (`samples`, `measurements`) is, for any id that stays inside the run folder."""
        name = image_id if sample == 0 else f"{image_id}.{sample}"
        path = self.path / kind / f"{name}{suffix}"
        if not path.resolve().is_relative_to(self.path.resolve() / kind):
            raise UserError(f"data: the image id {image_id!r} leads out of the run folder; rename the image")
        return path

    def append(self, rows: Sequence[Row], rank: int = 0) -> None:
        """Append rows to a rank's journal, and wait until they are on the disk."""
        file = self.path / JOURNAL / f"rank{rank}.jsonl"
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
        """Every finished row, sorted by id and sample number; half-written lines are as if never begun."""
        found: dict[tuple[str, int], Row] = {}
        for file in sorted((self.path / JOURNAL).glob("rank*.jsonl")):
            for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                key = (row["id"], row["sample"])
                if key not in found or found[key]["status"] != "ok":
                    found[key] = row
        return [found[key] for key in sorted(found)]

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
            return not json.loads(metrics.read_text(encoding="utf-8")).get("interrupted", False)
        except ValueError:
            return False

    def _table(self) -> bytes:
        rows = self.rows()
        measured = dict.fromkeys(name for row in rows for name in row if name not in ("id", "sample", "status"))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, ["id", "sample", *measured, "status"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return table.getvalue().encode()


def _ends_with_newline(file: Path) -> bool:
    with file.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) == b"\n"


def _differences(old: Any, new: Any, ignored: Sequence[str], key: str = "") -> Iterator[str]:
    if key in ignored:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(name), new.get(name), ignored, f"{key}.{name}" if key else str(name))
    elif old != new:
        yield f"{key} was {old!r}, now {new!r}"
