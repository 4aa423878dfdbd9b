"""bench.html: everything in one file that needs no network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from dsg import yaml_text
from dsg.bench.board import Board, Method
from dsg.bench.glance import firsts, glance
from dsg.bench.standing import Ranked
from dsg.bench.task_sheet import of_task
from dsg.report.one_file import one_file
from dsg.report.table import MARKS
from dsg.run_folder.provenance import facts, short

SHORT = 14  # characters of a name that stays in one line
PAPER = re.compile(r"\b(\d{4}\.\d{4,5})\b")
"""A number of arXiv's, as docstrings name their papers."""


def html(board: Board, ranked: Sequence[Ranked]) -> str:
    """The page. Whatever comes from a submission is escaped; and a policy lets no script run but the page's own."""
    chapters = [
        (name, chapter["title"], [of_task(board, task) for task in ranked if task.board.chapter == name])
        for name, chapter in board.suite["chapters"].items()
    ]
    budgets = {chapter["comparison"]["tuning"]["budget"]["candidates"] for chapter in board.suite["chapters"].values()}
    content = {
        "suite": board.suite,
        "glance": glance(board, ranked),
        "firsts": firsts(ranked),
        "chapters": chapters,
        "tasks": len(ranked),
        "budget": " or ".join(f"{count} candidates" for count in sorted(budgets)),
        "methods": [_about(method) for method in board.methods],
        "submissions": [(name, _made(found)) for name, found in board.submissions.items()],
        "settings": yaml_text.dump(dict(board.suite["chapters"])),
        "marks": MARKS,
    }
    filters = {"breakable": _breakable, "papers": _with_papers}
    return one_file("bench.html", ["dsg.bench", "dsg.report"], "bench.css", ["bench.js", "tables.js"], filters, content)


def _about(method: Method) -> dict[str, Any]:
    entry = method.entry
    link = str(entry.get("link") or "")
    return {
        "label": method.label,
        "submission": method.submission,
        "class_path": str(entry["class_path"]),
        "about": str(entry["about"]),
        "link": link if link.startswith(("https://", "http://")) else "",
        "states": yaml_text.dump(entry["states"]),
    }


def _made(found: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What made a submission's rows: (key, its values in words), of all its starts; and its seal."""
    words: dict[str, list[str]] = {"seal": [short(found["seal"])]}
    for key, value in (pair for start in found["made"] for pair in facts(start)):
        if value is not None and short(value) not in words.setdefault(key, []):
            words[key].append(short(value))
    return [(key, values) for key, values in words.items() if values]


def _breakable(text: str) -> Markup:
    """Long names may go on in the next line behind a separator."""
    if len(text) <= SHORT:
        return escape(text)
    return Markup(re.sub("([_/.])", r"\1<wbr>", str(escape(text))))


def _with_papers(text: str) -> Markup:
    """Escaped, with each number of a paper a link to it."""
    return Markup(PAPER.sub(r'<a href="https://arxiv.org/abs/\1">\1</a>', str(escape(text))))
