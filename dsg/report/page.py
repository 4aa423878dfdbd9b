"""What stands on the two pages: report.html, whole in one file, and report.md, its tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from dsg import yaml_text
from dsg.report import answer, appendix, figures, links, tables, trajectories
from dsg.report.calibration import calibration
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.made_by import made_by, made_differently
from dsg.report.markdown import document
from dsg.report.one_file import one_file
from dsg.report.pictures import GAIN, strips
from dsg.report.published import published
from dsg.report.side_by_side import SideBySide
from dsg.report.table import MARKS, Table
from dsg.report.worst_case import WorstCase

NAMES = {
    "answer": "Answer", "trajectories": "Along the way", "side": "Side by side", "numbers": "Results",
    "distributions": "Distributions", "worst_case": "Worst case", "cost": "Cost", "pictures": "Pictures",
    "appendix": "Details", "settings": "Settings",
}  # fmt: skip
STRIPS = 1_200_000  # characters of the pictures of runs that stand alone
SCRIPTS = ("tables.js", "pictures.js", "trajectories.js", "side_by_side.js")


def html(runs: Sequence[EvaluatedRun], worst: Sequence[WorstCase], side: Sequence[SideBySide], out: Path) -> str:
    """report.html. Whatever comes from a run folder is escaped; and a policy lets no script run but the page's own.

    Args:
        runs: in the order of the page.
        worst: over cells of their images.
        side: the same images under several of them; runs that are in none have strips of their own.
        out: the folder that the page is written to, from which links lead to the run folders.
    """
    addresses = links.folder_links(runs, out)
    compared = {i for found in side for i in found.runs}
    alone = [i for i in range(len(runs)) if i not in compared]
    traces = trajectories.trajectories(runs)
    metrics = tables.all_metrics(runs)
    plotted = [m for m in metrics if any(m in run.results.images for run in runs)]
    parts = {
        "answer": _shown([answer.which(runs), answer.cost_and_why(runs)]),
        "trajectories": traces,
        "side": side,
        "numbers": [tables.overview(runs), *_shown([*tables.paired(runs), published(runs), calibration(runs)])],
        "distributions": [(m, Markup(figures.distribution(runs, m))) for m in plotted],
        "worst_case": [
            (found.table, [(m, Markup(figures.curve(runs, m, lines))) for m, lines in found.curves.items()])
            for found in worst
        ],
        "cost": [
            (m, Markup(figures.cost(runs, m)))
            for m in metrics
            if m != "loss" and sum(run.results.has(m) for run in runs) > 1
        ],
        "pictures": [(i, found) for i in alone if (found := strips(runs[i], STRIPS / len(alone)))],
        "appendix": _shown(_appendix(runs)),
        "settings": [(run.name, yaml_text.dump(run.settings)) for run in runs],
    }
    content = {
        "title": _title(runs),
        "sections": [(key, name) for key, name in NAMES.items() if parts[key]],
        "parts": parts,
        "marks": MARKS,
        "colours": [figures.colour(i) for i in range(len(runs))],
        "quartiles": tables.spread(runs),
        "gain": GAIN,
        "links": addresses,
        "files": [links.files_of(run, folder) for run, folder in zip(runs, addresses, strict=True)],
        "below": links.below,
        "place": links.place_of(out),
        "traces": Markup(trajectories.embedded(traces)) if traces else "",
        "untraced": trajectories.untraced(runs),
    }
    filters = {"breakable": _breakable, "run_name": lambda i: runs[i].name}
    return one_file("report.html", ["dsg.report"], "report.css", SCRIPTS, filters, content)


def markdown(runs: Sequence[EvaluatedRun], worst: Sequence[WorstCase] = ()) -> str:
    """report.md: every table of the page."""
    over = [found.table for found in worst]
    beside = published(runs)
    answered = [answer.which(runs), answer.cost_and_why(runs)]
    numbers = [tables.overview(runs), *tables.paired(runs), beside, calibration(runs), tables.spread(runs), *over]
    shown = _shown([*answered, *numbers, *_appendix(runs)])
    return document(_title(runs), shown)


def _breakable(text: str) -> Markup:
    """Long names may go on in the next line behind a separator, and numbers stay whole."""
    return Markup(re.sub(r"([_/.])(?!\d)", r"\1<wbr>", str(escape(text))))


def _title(runs: Sequence[EvaluatedRun]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs"


def _appendix(runs: Sequence[EvaluatedRun]) -> list[Table]:
    different = [appendix.different_settings(runs), made_differently(runs)] if len(runs) > 1 else []
    return [appendix.failures(runs), appendix.unavailable(runs), *different, made_by(runs)]


def _shown(found: Sequence[Table | None]) -> list[Table]:
    return [table for table in found if table is not None and (table.rows or table.notes)]
