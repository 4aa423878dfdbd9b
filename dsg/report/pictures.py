"""Strips truth | measurement, or what was asked | sample | error of a run's best, median and worst image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dsg.data.examples import measured_unseen
from dsg.errors import UserError
from dsg.metrics.direction import direction_of
from dsg.metrics.ranking import by_quality
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.picture import Picture, picture, read_picture
from dsg.report.truth import check_truth, error_picture, read_truth

GAIN = 4  # of the error
PICTURES = 12  # of a run, at most


@dataclass(frozen=True)
class Strip:
    """The pictures of one sample, why it was chosen, and what could not be shown."""

    place: str
    image_id: str
    sample: int
    value: float
    pictures: list[Picture]
    note: str


@dataclass(frozen=True)
class Strips:
    """Those of one run, chosen by `metric`; `note` says why there is no truth."""

    run: EvaluatedRun
    metric: str
    strips: list[Strip]
    note: str


def strips(run: EvaluatedRun, room: float = math.inf) -> Strips | None:
    """None for a run that has no pictures; those that there are take `room` characters of the page, or little more."""
    metric = next((m for m in run.metrics if m in run.results.images), None)
    if metric is None or not has_pictures(run):
        return None
    made = [_strip(run, place, row, float(row[metric]), room / PICTURES) for place, row in chosen(run, metric)]
    return Strips(run, metric, made, about_truth(run))


def has_pictures(run: EvaluatedRun) -> bool:
    return any((run.folder.path / "samples").rglob("*.png"))


def about_truth(run: EvaluatedRun) -> str:
    """Why a run's pictures have no truth beside them, or one that is not sure; else nothing."""
    if run.data is not None and measured_unseen(run.data.columns()):
        return "There is no truth: the measurements were given without it"
    if run.compared_with is None:
        return "There is no truth: the task compares its samples with nothing"
    if run.data is None:
        return f"The truth is not shown; it cannot be read again: {run.no_data}"
    return f"The truth is taken to be the image: {run.assumed}" if run.assumed else ""


def chosen(run: EvaluatedRun, metric: str) -> list[tuple[str, dict[str, Any]]]:
    """(place, row) of the best, the median and the worst sample, each sample once."""
    direction = direction_of(metric, run.results.noisy)
    first, middle, last = ("best", "median", "worst") if direction.sign else ("largest", "median", "smallest")
    rows = [row for row in run.good if row.get(metric) is not None and math.isfinite(row[metric])]
    rows = [rows[i] for i in by_quality([row[metric] for row in rows], direction)]
    places = {0: first, len(rows) - 1: last, (len(rows) - 1) // 2: middle}
    if len(rows) < 3:
        places = {0: first, 1: last} if len(rows) == 2 else dict.fromkeys(range(len(rows)), "the only one")
    return [(places[i], rows[i]) for i in sorted(places)]


def _strip(run: EvaluatedRun, place: str, row: dict[str, Any], value: float, room: float) -> Strip:
    image_id, number = str(row["id"]), int(row["sample"])
    pictures, notes = [], []
    sample = None
    try:
        paths = {kind: run.folder.picture_path(kind, image_id, n) for kind, n in
                 (("measurements", 0), ("samples", number))}  # fmt: skip
    except UserError as reason:
        return Strip(place, image_id, number, value, [], str(reason))
    for label, kind in ((asked(run), "measurements"), ("sample", "samples")):
        try:
            found = read_picture(paths[kind], run.folder.path)
        except UserError as reason:
            notes.append(str(reason))
            continue
        pictures.append(picture(label, found, room=room))
        sample = found if kind == "samples" else None
    if run.data is not None and sample is not None and run.compared_with is not None:
        try:
            truth = read_truth(run.data, image_id, run.compared_with)
            check_truth(truth, sample, row.get("psnr"))
            error = error_picture(truth, sample, GAIN)
            pictures = [picture("truth", truth, room=room), *pictures, picture(f"error × {GAIN}", error, room=room)]
        except UserError as reason:
            notes.append(f"no truth: {reason}")
    return Strip(place, image_id, number, value, pictures, "; ".join(notes))


def asked(run: EvaluatedRun) -> str:
    """What the picture beside the sample is called: what need not be like the sample was asked of it, not measured."""
    unseen = run.data is not None and measured_unseen(run.data.columns())
    return "asked" if run.compared_with is None and not unseen else "measurement"
