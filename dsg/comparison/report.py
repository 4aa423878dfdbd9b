"""Everything that a comparison leaves at the top of its folder."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from dsg.comparison.grid import Cell, Grid
from dsg.comparison.layout import legend, overviews, sections
from dsg.comparison.layout_over_cells import LEGEND, sections_over_cells
from dsg.comparison.layout_published import LEGEND as LEGEND_PUBLISHED
from dsg.comparison.layout_published import sections_published
from dsg.comparison.made_otherwise import made_otherwise
from dsg.comparison.plot import quality_against
from dsg.comparison.published_file import FILE, as_json
from dsg.comparison.render import latex, markdown, show
from dsg.comparison.table import TABLE, Row, as_csv, make_table
from dsg.comparison.tuning import Choice
from dsg.comparison.worst_case import Divisions, over_cells
from dsg.metrics.results import Results
from dsg.run_folder.atomic import write_atomically


def report(
    grid: Grid,
    results: Mapping[Cell, Results],
    choices: Mapping[Cell, Choice],
    unfit: Mapping[Cell, str],
    console: Console,
    divisions: Divisions | None = None,
) -> None:
    """Write the tables and the plots, and print the table and where they are."""
    rows = make_table(grid, results, choices, unfit)
    otherwise = made_otherwise(results).what
    glance, note = overviews(rows, grid.comparison), legend(rows, grid.comparison, otherwise)
    over = over_cells(grid, results, divisions or {})
    laid_out = [*glance, *sections(rows, grid.comparison), *sections_over_cells(over.rows, grid.comparison)]
    published = sections_published(rows, grid.comparison)
    laid_out += published
    note = " ".join([note, *([LEGEND] if over.rows else []), *over.notes, *([LEGEND_PUBLISHED] if published else [])])
    first = {task: grid.comparison.metrics_of(task)[0] for task in grid.comparison.tasks}
    files = {
        TABLE: as_csv([*rows, *over.rows]),
        "table.md": markdown(laid_out, note).encode(),
        "table.tex": latex(laid_out, note).encode(),
        "quality_against_seconds.png": quality_against(rows, first, _seconds, "seconds per image", log=True),
        "quality_against_nfe.png": quality_against(rows, first, _evaluations, "network evaluations per image"),
    }
    if published:
        files[FILE] = as_json(grid.comparison.published_numbers)
    else:
        (grid.out_dir / FILE).unlink(missing_ok=True)  # of an earlier form of the comparison
    for name, content in files.items():
        write_atomically(grid.out_dir / name, content)
    show(laid_out, note, console)
    for name in (m for m in grid.comparison.all_metrics if all(row.metric != m for row in rows)):
        reason = next((r.unavailable[name] for r in results.values() if name in r.unavailable), f"{name}: in no run")
        console.print(f"unavailable: {reason}", highlight=False)
    console.print(f"{grid.out_dir}: {', '.join(files)}", highlight=False)


def _seconds(row: Row) -> float:
    return row.seconds


def _evaluations(row: Row) -> float:
    return row.nfe_forward + row.nfe_backward
