"""Tables as GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dsg.report.table import MARKS, Cell, Table

ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", **{character: f"\\{character}" for character in "\\`*_[]|#~"}}
)


def document(title: str, tables: Sequence[Table]) -> str:
    """A heading and a table each, with their notes."""
    return "\n\n".join([f"# {_escape(title)}", *map(_table, tables)]) + "\n"


def _table(table: Table) -> str:
    parts = [f"## {_escape(table.title)}"]
    if table.rows:
        lines = [_bar(map(_escape, table.header)), _bar(["---"] * len(table.header))]
        parts.append("\n".join([*lines, *(_bar(map(_cell, row)) for row in table.rows)]))
    return "\n\n".join([*parts, *map(_escape, table.notes)])


def _cell(cell: Cell) -> str:
    return " ".join(part for part in (_escape(cell.text), _escape(cell.small), MARKS[cell.mark]) if part)


def _escape(text: str) -> str:
    """`text` as it is, whatever Markdown or HTML it looks like, in one line."""
    return " ".join(text.translate(ESCAPES).split())


def _bar(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
