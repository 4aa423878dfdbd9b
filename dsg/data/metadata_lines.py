"""The lines of a metadata file: what each says by name, in JSON or in CSV."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from dsg.errors import UserError

Cell = int | float | str
Line = tuple[int, dict[str, Cell]]  # its number, and what it says

WHOLE = re.compile(r"[+-]?[0-9]{1,99}")  # digits of other scripts are texts
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def read_lines(path: Path) -> list[Line]:
    """Every line of `path`, a .jsonl or a .csv file with names in its first line.

    Raises:
        UserError: for a file that is no UTF-8 text, and for a line that is no JSON object of numbers and texts or has
            another number of cells than the first.
    """
    try:
        return list(_json_lines(path) if path.suffix == ".jsonl" else _csv_lines(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text: {error}") from error


def _json_lines(path: Path) -> Iterator[Line]:
    for number, text in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            cells = json.loads(text, parse_constant=_refuse, object_pairs_hook=_names_once)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: line {number} is no JSON: {error}") from error
        if not isinstance(cells, dict):
            raise UserError(f'{path}: line {number} is no object {{"file_name": ...}} but {type(cells).__name__}')
        for name, value in cells.items():
            if isinstance(value, bool) or not isinstance(value, Cell):
                raise UserError(f"{path}: line {number} has {value!r} as {name}; give a number or a text")
        yield number, cells


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _names_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise ValueError(f"it says {twice} twice")
    return dict(pairs)


def _csv_lines(path: Path) -> Iterator[Line]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.reader(handle, strict=True)
        names = [name.strip() for name in next(reader, [])]
        if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
            raise UserError(f"{path}: its first line names the column {twice} twice; rename one")
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                raise UserError(f"{path}: line {reader.line_num} has {len(row)} cells and the first {len(names)}")
            yield reader.line_num, {name: _typed(cell) for name, cell in zip(names, row, strict=True)}


def _typed(cell: str) -> Cell:
    number = cell.strip()  # blanks around a number are none of it, and those of a text may be meant
    if WHOLE.fullmatch(number):
        return int(number)
    return float(number) if NUMBER.fullmatch(number) else cell
