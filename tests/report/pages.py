"""What tests of the report ask of its command and its pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsg.run_folder.folder import RunFolder
from dsg.run_folder.trace_file import Curve, Trace
from train_free_eval import main

IDS = ["a", "b", "c", "d", "more/e", "more/f"]


def report(*arguments: Path | str) -> int:
    try:
        return main(["report", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)


def pages(*runs: Path, trust: str | None = None) -> tuple[str, str]:
    """The page and the Markdown."""
    assert report(*runs, *(() if trust is None else ("--trust", trust))) == 0
    return (runs[0] / "report.html").read_text(), (runs[0] / "report.md").read_text()


def psnrs(run: Path) -> dict[str, float]:
    return {row["id"]: row["psnr"] for row in RunFolder(run).rows()}


def line(markdown: str, title: str, run: str) -> dict[str, str]:
    """A run's row in the table below a heading, by column."""
    table = markdown.split(f"## {title}\n")[1].strip().split("\n\n")[0].splitlines()
    cells = [[cell.strip().replace("\\", "") for cell in row.strip("|").split(" | ")] for row in table]
    return dict(zip(cells[0], next(row for row in cells[2:] if row[0] == run), strict=True))


def trace(run: Path, **medians: Sequence[float | None]) -> Path:
    """Put a trace into a run folder: of each measure these medians, and a band around them."""
    curves = {}
    for name, values in medians.items():
        low, high = ([None if value is None else factor * value for value in values] for factor in (0.5, 2.0))
        curves[name] = Curve(f"{name} in words", values, low, values, high)
    Trace(6, curves).write(run)
    return run
