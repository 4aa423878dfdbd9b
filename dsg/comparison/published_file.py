"""published.json: what is published of a comparison's runs, for the report on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from dsg.comparison.published import PublishedNumber
from dsg.errors import UserError
from dsg.metrics.published import Published

FILE = "published.json"
"""At the top of a comparison's folder."""


def as_json(numbers: Sequence[PublishedNumber]) -> bytes:
    """published.json."""
    rows = [{**asdict(number), **asdict(number.number)} for number in numbers]
    kept = [{key: value for key, value in row.items() if key != "number"} for row in rows]
    return (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode()


def numbers_of_run(folder: Path) -> list[PublishedNumber]:
    """What published.json says of the run in `folder`, OUT_DIR/runs/TASK/METHOD/SETTING or one folder below that.

    Raises:
        UserError: for a published.json that cannot be read.
    """
    folder = folder.resolve()
    for depth in (3, 4):
        if len(folder.parents) <= depth:
            break
        parts = folder.relative_to(out_dir := folder.parents[depth]).parts
        if parts[0] == "runs" and (file := out_dir / FILE).is_file():
            return [number for number in _read(file) if (number.task, number.method, number.setting) == parts[1:4]]
    return []


def _read(file: Path) -> list[PublishedNumber]:
    of_number = {field.name for field in fields(Published)}
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return [
            PublishedNumber(
                number=Published(float(row["value"]), str(row["source"]), str(row["variant"])),
                **{key: str(value) for key, value in row.items() if key not in of_number},
            )
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{file}: cannot be read; delete it, and run the comparison's command again") from error
