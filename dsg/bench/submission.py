"""A submission: who took part in which suite, and every number of every image, in one small file with a seal.

submission.json          beside the run folders that it was made of; it alone is enough for the page
  suite                  its name, version, sealed settings and their hash
  made                   what made the rows: code, versions, machines
  cells                  chapter: task: column: image id: cell
  methods                name: what it is, and chapter: task: setting: its rows, or why it does not fit
  seal                   SHA-256 of all above, so that a file that was changed is known; it says nothing of by whom
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsg.bench.shape import misshapen
from dsg.bench.suite import digest
from dsg.bench.taking_part import Outcome, TakingPart
from dsg.comparison.results import read_results
from dsg.errors import UserError
from dsg.metrics.of_samples import of_one_sample
from dsg.metrics.passes import NAMES
from dsg.run_folder.atomic import write_atomically
from dsg.run_folder.folder import TABLE
from dsg.run_folder.settings import SETTINGS

SUBMISSION = "submission.json"
FORMAT = 1
KEPT = ("id", "sample", "status", "warm_up", "start", "seconds", *NAMES)
"""Columns of a row beside its metrics."""
OF_A_START = ("code", "versions", "system", "device", "precision", "weights")
DIGITS = 7


@dataclass
class _Starts:
    """What made the rows, each once, by its place in the list."""

    known: list[dict[str, Any]] = field(default_factory=list)

    def number(self, start: Mapping[str, Any]) -> int:
        kept = {key: start[key] for key in OF_A_START if key in start}
        if kept not in self.known:
            self.known.append(kept)
        return self.known.index(kept)


def make_submission(part: TakingPart) -> dict[str, Any]:
    """What took part, of the run folders of its comparisons.

    Raises:
        UserError: for a run folder that holds no results.
    """
    sealed, starts = part.suite.sealed(), _Starts()
    methods: dict[str, Any] = {
        entrant.name: {
            "class_path": entrant.class_path, "about": entrant.about, "link": entrant.link,
            "states": entrant.states, "results": {},
        }
        for entrant in part.entrants
    }  # fmt: skip
    for outcome in part.outcomes():
        comparison = sealed["chapters"][outcome.chapter]["comparison"]
        metrics = [*comparison["tasks"][outcome.cell.task].get("metrics", []), *comparison.get("metrics", [])]
        of_chapter = methods[outcome.cell.method]["results"].setdefault(outcome.chapter, {})
        of_task = of_chapter.setdefault(outcome.cell.task, {})
        of_task[outcome.cell.setting] = _result(outcome, metrics, part.out_dir, starts)
    cells: dict[str, Any] = {}
    for (chapter, task), divisions in part.cells.items():
        cells.setdefault(chapter, {})[task] = {division.by: dict(division.of) for division in divisions}
    found = {"format": FORMAT, "suite": sealed, "made": starts.known, "cells": cells, "methods": methods}
    found = json.loads(json.dumps(found))  # what a reader will see
    return {**found, "seal": digest(found)}


def write_submission(found: Mapping[str, Any], file: Path) -> None:
    """A line a row, so that two versions can be compared."""
    write_atomically(file, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())


def read_submission(path: Path, complete: bool = True) -> dict[str, Any]:
    """A submission, from its file or its folder. Nothing of it is imported or run.

    Args:
        path: of either.
        complete: look at the run folders beside it too, where there are any.

    Raises:
        UserError: where there is none, for one that was changed after it was made, and for run folders beside it that
            are not those that it was made of.
    """
    file = path / SUBMISSION if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        json.dumps(found, ensure_ascii=False).encode()  # half of a pair of surrogates is no text
    except FileNotFoundError as error:
        raise UserError(
            f"bench page: {path} holds no {SUBMISSION}; give the --out_dir of a bench that ended"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"bench page: {file} cannot be read as JSON; restore it, or leave it out") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UserError(f"bench page: {file} is no submission of format {FORMAT}; make it again with this version")
    content = {key: value for key, value in found.items() if key != "seal"}
    if found.get("seal") != digest(content) or not _sealed_suite(found.get("suite")):
        raise UserError(f"bench page: {file} was changed after it was made; run the same bench again, or leave it out")
    if wrong := misshapen(found):
        raise UserError(f"bench page: {file}: {wrong} is missing or not what it should be; make it again")
    for result in results_of(found).values() if complete else ():
        _check_run(file.parent, result)
    return found


def results_of(found: Mapping[str, Any]) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """(method, chapter, task, setting): what is known of it."""
    return {
        (method, chapter, task, setting): result
        for method, entry in found["methods"].items()
        for chapter, tasks in entry["results"].items()
        for task, settings in tasks.items()
        for setting, result in settings.items()
    }


def _result(outcome: Outcome, metrics: Sequence[str], out_dir: Path, starts: _Starts) -> dict[str, Any]:
    if outcome.unfit or outcome.choice is None:
        return {"unfit": outcome.unfit}
    results = read_results(outcome.folder)
    known = [metric for metric in metrics if metric in results.overall and metric not in results.images]
    return {
        "chosen": outcome.choice.marked + " (tuning failed)" * outcome.choice.failed,
        "tried": outcome.tried,
        "noisy": results.noisy,
        "rows": _rows(outcome.folder, metrics),
        "overall": {metric: results.overall[metric] for metric in known},
        "unavailable": {metric: results.unavailable[metric] for metric in metrics if metric in results.unavailable},
        "made": list(dict.fromkeys(starts.number(start) for start in results.starts)),
        "unrecorded": results.unrecorded,
        "run": outcome.folder.relative_to(out_dir).as_posix(),
        "files": {name: _hash(outcome.folder / name) for name in (TABLE, SETTINGS)},
    }


def _rows(folder: Path, metrics: Sequence[str]) -> list[str]:
    """per_image.csv, of the columns that the page needs and to seven digits; of several samples of an image that are
    measured together, the one that has the numbers.
    """
    with (folder / TABLE).open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    measured = {*(of_one_sample(metric) for metric in metrics), *metrics}
    rows = [row for row in rows if row["status"] != "ok" or any(row.get(name) for name in measured)] or rows
    wanted = measured.union(KEPT)
    columns = [name for name in (rows[0] if rows else ()) if name in wanted and any(row[name] for row in rows)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_short(name, row[name]) for name in columns] for row in rows)
    return text.getvalue().removesuffix("\n").split("\n")


def _short(column: str, value: str) -> str:
    if column in ("id", "sample", "status", "warm_up", "start"):
        return " ".join(value.splitlines())  # a row is a line
    try:
        return format(float(value), f".{DIGITS}g")
    except ValueError:
        return value


def _check_run(folder: Path, result: Mapping[str, Any]) -> None:
    """Raise UserError if the run folder is there and holds other files than the submission was made of."""
    run = folder / str(result.get("run", "")).replace("\0", "")
    if "run" not in result or not run.resolve().is_relative_to(folder.resolve()) or not run.is_dir():
        return
    for name in (TABLE, SETTINGS):
        if _hash(run / name) != result["files"].get(name):
            raise UserError(f"bench page: {run / name} was changed after {SUBMISSION}; run the same bench again")


def _sealed_suite(suite: Any) -> bool:
    return isinstance(suite, dict) and suite.get("hash") == digest(suite.get("chapters"))


def _hash(file: Path) -> str:
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" if file.is_file() else "none"
