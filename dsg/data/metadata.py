"""What a folder of images says of each: `metadata.jsonl` or `metadata.csv`, as Hugging Face's image folders have it.

file_name,style_file_name,prompt
a.png,styles/a.jpg,a red door

`file_name` is the image, by its path below the folder. A column `NAME_file_name` is a second image, and the example's
column NAME. Every other column is numbers or texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dsg.data.metadata_lines import Cell, Line, read_lines
from dsg.errors import UserError

FILES = ("metadata.jsonl", "metadata.csv")
FILE_NAME = "file_name"
BESIDE = "_file_name"  # ends the name of a column that is images


@dataclass(frozen=True)
class Metadata:
    """A metadata file, read and found to be sound in itself.

    Args:
        path: where it is.
        lines: the number of each image's line, by `file_name`.
        columns: by name, then by `file_name`, each of one type; those of `images` are paths below the folder.
        images: the columns that are images beside.
    """

    path: Path
    lines: dict[str, int]
    columns: dict[str, dict[str, Cell]]
    images: frozenset[str]


def read_metadata(root: Path) -> Metadata | None:
    """The metadata of the folder `root`; None if it brings none.

    Raises:
        UserError: where there are two files, a line that is none, another column than in the first line, no or twice
            the same file name, or a column of mixed types.
    """
    found = [root / name for name in FILES if (root / name).is_file()]
    if not found:
        return None
    if len(found) > 1:
        raise UserError(f"data.root: {root} has both {' and '.join(FILES)}; take one of them away")
    path = found[0]
    lines = read_lines(path)
    if not lines:
        raise UserError(f"{path}: has no line; give one for every image, or take the file away")
    names = _names(path, lines)
    rows: dict[str, int] = {}
    for number, cells in lines:
        file_name = _inside(path, number, FILE_NAME, cells[FILE_NAME])
        if file_name in rows:
            raise UserError(f"{path}: line {number} names {file_name}, as line {rows[file_name]} does; give one line")
        rows[file_name] = number
    images = frozenset(names[column] for column in names if column.endswith(BESIDE))
    columns: dict[str, dict[str, Cell]] = {}
    for column, name in names.items():
        values = {number: cells[column] for number, cells in lines}
        if name in images:
            values |= {number: _inside(path, number, column, value) for number, value in values.items()}
        columns[name] = dict(zip(rows, _of_one_type(path, column, values), strict=True))
    return Metadata(path, rows, columns, images)


def _names(path: Path, lines: list[Line]) -> dict[str, str]:
    """The columns but `file_name`, each with the name that the example gives it."""
    number, first = lines[0]
    if FILE_NAME not in first:
        raise UserError(f"{path}: line {number} has no {FILE_NAME}, but {', '.join(first)}; rename the images' column")
    for number, cells in lines:
        if different := sorted(first.keys() ^ cells.keys()):
            there = "has" if different[0] in cells else "lacks"
            raise UserError(f"{path}: line {number} {there} {different[0]}, unlike the first; give every line the same")
    names = {column: column.removesuffix(BESIDE) for column in first if column != FILE_NAME}
    for column, name in names.items():
        if name in ("", "image") or column == f"label{BESIDE}" or list(names.values()).count(name) > 1:
            raise UserError(f"{path}: the column {column} would be another one's {name or 'nameless'}; rename it")
    return names


def _inside(path: Path, number: int, column: str, value: Cell) -> str:
    """A path below the folder, in its plainest form."""
    name = PurePosixPath(str(value))
    if not isinstance(value, str) or not name.parts or name.is_absolute() or ".." in name.parts:
        raise UserError(f"{path}: line {number} has {value!r} as {column}; give a path below {path.parent}")
    return name.as_posix()


def _of_one_type(path: Path, column: str, values: dict[int, Cell]) -> list[Cell]:
    """Whole numbers, numbers or texts alone; `values` by their line."""
    kinds = {number: str if isinstance(value, str) else float for number, value in values.items()}
    first = next(iter(kinds.values()))
    if other := next((number for number, kind in kinds.items() if kind is not first), None):
        raise UserError(
            f"{path}: {column} mixes numbers and texts: line {next(iter(kinds))} has {next(iter(values.values()))!r}, "
            f"line {other} {values[other]!r}; make them alike (in {FILES[0]} quotes tell texts from numbers)"
        )
    for number, value in values.items():
        if not isinstance(value, str) and not abs(value) < 2**63:  # nor is that NaN or infinite
            raise UserError(f"{path}: line {number} has {value} as {column}; give a smaller number")
    if any(isinstance(value, float) for value in values.values()):
        return [float(value) for value in values.values()]
    return list(values.values())
