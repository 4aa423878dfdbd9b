"""Submissions of one suite, put side by side: what the page is made of."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dsg.bench.submission import SUBMISSION, read_submission, results_of
from dsg.comparison.plan import Comparison
from dsg.errors import UserError
from dsg.metrics.cells import Cells
from dsg.metrics.per_image import per_image
from dsg.metrics.results import Results
from dsg.run_folder.settings import changes

OF_A_COMPARISON = {f.name for f in fields(Comparison)} - {"tuning", "methods", "baseline", "published"}


@dataclass(frozen=True)
class Method:
    """Who took part.

    Args:
        label: its name, with that of its submission where two have the name.
        submission: the folder's name.
        entry: what the submission says of it.
    """

    label: str
    submission: str
    entry: Mapping[str, Any]


@dataclass
class TaskBoard:
    """One task of a chapter under one of its settings.

    Args:
        chapter: its name.
        name: of the task, with the setting where the chapter has several.
        comparison: what is measured, and what of it is better.
        task: its key there.
        baseline: the method that the others are compared with; None where it did not take part.
        results: method: its numbers.
        unfit: method: why it does not fit.
        absent: methods that did not take part.
        known: method: the rest of what its submission says of it.
        divisions: the cells of the images.
    """

    chapter: str
    name: str
    comparison: Comparison
    task: str
    baseline: str | None
    results: dict[str, Results] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    divisions: list[Cells] = field(default_factory=list)

    @property
    def metrics(self) -> list[str]:
        return self.comparison.metrics_of(self.task)


@dataclass(frozen=True)
class Board:
    """Everything on one page.

    Args:
        suite: sealed, with its name, version and hash.
        methods: in the order of the submissions.
        tasks: in the suite's order.
        submissions: folder's name: what it holds.
    """

    suite: Mapping[str, Any]
    methods: list[Method]
    tasks: list[TaskBoard]
    submissions: dict[str, Mapping[str, Any]]


def read_board(paths: Sequence[Path]) -> Board:
    """The submissions at `paths`, in this order.

    Raises:
        UserError: for what is no submission, for two that are not of one suite, are of other images or spent more than
            the budget, and for one that is given twice.
    """
    submissions: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        found = read_submission(path)
        for name, other in submissions.items():
            if other["seal"] == found["seal"]:
                raise UserError(f"bench page: {path} is the same as {name}; name every submission once")
            _refuse_mixed(name, other["suite"], str(path), found["suite"])
        submissions[_unlike(_name(path), submissions)] = found
    suite = next(iter(submissions.values()))["suite"]
    try:
        methods = list(_methods(submissions))
        tasks = [task for chapter in suite["chapters"] for task in _tasks(chapter, suite, methods, submissions)]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(f"bench page: a submission lacks {error}; make it again with this version") from error
    return Board(suite, methods, tasks, submissions)


def _name(path: Path) -> str:
    resolved = path.resolve()
    if resolved.is_dir():
        return resolved.name
    return resolved.parent.name if resolved.name == SUBMISSION else resolved.stem


def _unlike(name: str, others: Mapping[str, Any]) -> str:
    """`name`, or with the first number that is free."""
    number, found = 2, name
    while found in others:
        number, found = number + 1, f"{name} {number}"
    return found


def _refuse_mixed(one: str, suite: Mapping[str, Any], other: str, others: Mapping[str, Any]) -> None:
    if suite["hash"] == others["hash"] and (suite["name"], suite["version"]) == (others["name"], others["version"]):
        return
    first = next(changes(suite["chapters"], others["chapters"], ()), "the version")
    raise UserError(
        f"bench page: {one} is of the suite {_in_words(suite)}, {other} of {_in_words(others)}, which is not the same "
        f"({first}); make a page of each, run one of them again, or leave out with --alone what comes with the "
        "project"
    )


def _in_words(suite: Mapping[str, Any]) -> str:
    return f"{suite['name']} {suite['version']} ({str(suite['hash'])[:15]})"


def _methods(submissions: Mapping[str, Mapping[str, Any]]) -> list[Method]:
    labels: dict[str, Method] = {}
    for submission, found in submissions.items():
        for name, entry in found["methods"].items():
            label = _unlike(f"{name} ({submission})", labels) if name in labels else name
            labels[label] = Method(label, submission, {**entry, "name": name})
    return list(labels.values())


def _tasks(
    chapter: str, suite: Mapping[str, Any], methods: Sequence[Method], submissions: Mapping[str, Mapping[str, Any]]
) -> list[TaskBoard]:
    section = suite["chapters"][chapter]["comparison"]
    comparison = Comparison(methods={"any": {}}, **{k: v for k, v in section.items() if k in OF_A_COMPARISON})
    named = section.get("baseline")
    baseline = named if named in {method.label for method in methods} else None
    budget = section["tuning"]["budget"]["candidates"]
    every = {name: results_of(found) for name, found in submissions.items()}
    boards = []
    for task in comparison.tasks:
        for setting in comparison.settings:
            name = f"{task}, {setting}" if len(comparison.settings) > 1 else task
            board = TaskBoard(chapter, name, comparison, task, baseline)
            for method in methods:
                found = every[method.submission].get((method.entry["name"], chapter, task, setting))
                if found is None:
                    board.absent.append(method.label)
                elif "unfit" in found:
                    board.unfit[method.label] = str(found["unfit"])
                else:
                    where = f"{method.submission}: {method.label} on {chapter}/{name}"
                    if found["tried"] > budget:
                        raise UserError(f"bench page: {where} tried {found['tried']} candidates; all have {budget}")
                    board.known[method.label] = found
                    board.results[method.label] = _results(found, submissions[method.submission], where)
            _refuse_other_images(board)
            board.divisions = _divisions(
                [found["cells"].get(chapter, {}).get(task, {}) for found in submissions.values()]
            )
            boards.append(board)
    return boards


def _divisions(parts: Sequence[Mapping[str, Mapping[str, str]]]) -> list[Cells]:
    """What all submissions say of the cells of the images.

    Raises:
        UserError: if two put an image into different cells.
    """
    names = dict.fromkeys(by for part in parts for by in part)
    return [Cells.merged([Cells(by, dict(part[by])) for part in parts if by in part]) for by in names]


def _results(found: Mapping[str, Any], submission: Mapping[str, Any], where: str) -> Results:
    try:
        rows = per_image(list(csv.DictReader(found["rows"])))
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"bench page: {where} has a row that is none of a run ({error}); leave it out") from error
    starts = [submission["made"][i] for i in found["made"]]
    return Results(rows, found["overall"], found["unavailable"], found["noisy"], starts, found["unrecorded"])


def _refuse_other_images(board: TaskBoard) -> None:
    """Raise UserError unless all are of the same images, whether or not their samples failed."""
    images = {label: run.per_image.finished | set(run.per_image.failed) for label, run in board.results.items()}
    first = next(iter(images), "")
    for label, found in images.items():
        if found != images[first]:
            raise UserError(
                f"bench page: on {board.chapter}/{board.name} {label} is of other images than {first} ({len(found)} "
                f"and {len(images[first])}); run it again"
            )
