"""Class labels of a folder of images: from its first-level folders, or from a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from dsg.errors import UserError


def labels_of_folders(paths: Mapping[str, Path]) -> dict[str, int]:
    """Id → number of its first-level folder in sorted order. Raises UserError for an image that is in none."""
    flat = next((image_id for image_id in paths if "/" not in image_id), None)
    if flat is not None:
        raise UserError(f"data.labels: folders needs one folder a class, but {paths[flat]} is in none")
    classes = sorted({image_id.split("/")[0] for image_id in paths})
    return {image_id: classes.index(image_id.split("/")[0]) for image_id in paths}


def labels_of_file(file: Path, paths: Mapping[str, Path]) -> dict[str, int]:
    """Id → label, from a CSV file of lines `id,label`. Raises UserError for other lines, and for ids without one."""
    if not file.is_file():
        raise UserError(
            f"data.labels: no file at {file}; give `folders`, `metadata`, or a CSV file with lines id,label"
        )
    labels: dict[str, int] = {}
    with file.open(newline="", encoding="utf-8", errors="replace") as handle:
        for number, row in enumerate(csv.reader(handle), start=1):
            if not row:
                continue
            if len(row) != 2 or not row[1].strip().isdigit():
                raise UserError(f"data.labels: {file} line {number} is not `id,label` with a whole number: {row}")
            labels[row[0].strip()] = int(row[1])
    missing = [image_id for image_id in paths if image_id not in labels]
    if missing:
        raise UserError(f"data.labels: {file} has no line for {len(missing)} images, the first is {missing[0]}")
    return labels


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
