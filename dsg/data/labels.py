"""Class labels from a file: one of its own, or the folder's metadata."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dsg.errors import UserError

LABEL = re.compile(r"\s*([0-9]{1,18})\s*")  # as many digits as an int64 has
HEADER = ["id", "label"]


def labels_of_file(file: Path, paths: Mapping[str, Path]) -> dict[str, int]:
    """Id → label, from a CSV file of lines `id,label`, the first of which may say just that. Blank lines are none.

    Raises:
        UserError: for a file that is no UTF-8 text (with or without a byte-order mark), for other lines, for an id that
            is there twice, and for images without a line.
    """
    if not file.is_file():
        raise UserError(
            f"data.labels: no file at {file}; give `folders`, `metadata`, or a CSV file with lines id,label"
        )
    labels: dict[str, int] = {}
    lines: dict[str, int] = {}
    for number, row in _rows(file):
        label = LABEL.fullmatch(row[-1])
        if len(row) != 2 or label is None:
            raise UserError(
                f"data.labels: {file} line {number} is not `id,label` with a whole number: {','.join(row)[:80]!r}"
            )
        image_id = row[0].strip()
        if image_id in labels:
            raise UserError(
                f"data.labels: {file} line {number} names {image_id}, as line {lines[image_id]} does; give one line"
            )
        labels[image_id], lines[image_id] = int(label[1]), number
    missing = [image_id for image_id in paths if image_id not in labels]
    if missing:
        raise UserError(
            f"data.labels: {file} has no line for {len(missing)} images, the first is {missing[0]}; an id is the path "
            "below data.root without its ending"
        )
    return labels


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every line that holds something, without the header."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle, strict=True)
            for row in reader:
                header = reader.line_num == 1 and [cell.strip().lower() for cell in row] == HEADER
                if not header and any(cell.strip() for cell in row):
                    yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"data.labels: {file} cannot be read as a CSV file of UTF-8 text: {error}; save it as one"
        ) from error


def labels_of_metadata(column: Mapping[str, object] | None, root: Path) -> dict[str, int]:
    """The metadata's own column `label`, id → label. Raises UserError if there is none, or it holds no classes."""
    if column is None:
        raise UserError(f"data.labels: {root} has no metadata with a column label; give `folders` or a CSV file")
    labels = {image_id: value for image_id, value in column.items() if isinstance(value, int) and value >= 0}
    if wrong := [image_id for image_id in column if image_id not in labels]:
        raise UserError(
            f"data.labels: the metadata's label of {wrong[0]} is {column[wrong[0]]!r}, and classes are whole numbers "
            "from 0 on; number them"
        )
    return labels
