"""The same image under all runs: of which images, and as many as the page has room for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dsg.errors import UserError
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.image_row import Key, Row, Rows, image_row, value_of
from dsg.report.pictures import about_truth, chosen, has_pictures
from dsg.report.problems import of_one_problem
from dsg.report.tables import all_metrics

ROOM = 2_300_000  # characters of all pictures that stand side by side
AT_LEAST, MOST = 8, 24  # images of a problem, for which pictures are compressed, and at which it ends


@dataclass(frozen=True)
class SideBySide:
    """The runs of one problem, by index, whose images are chosen by `metric`; `note` says what is not shown."""

    runs: list[int]
    metric: str
    rows: list[Row]
    note: str

    @property
    def has_truth(self) -> bool:
        return any(found.label.startswith("truth") for row in self.rows for found in row.shared)


def side_by_side(runs: Sequence[EvaluatedRun], images: Sequence[str] = ()) -> list[SideBySide]:
    """For every problem that several runs with pictures were asked.

    Args:
        images: ids that are to be shown whatever else is; the others follow as far as the page has room.

    Raises:
        UserError: for an id of which no run that stands beside another has a sample, and for any where none does.
    """
    found = [[i for i in group if has_pictures(runs[i])] for group in of_one_problem(runs)]
    groups = {tuple(group): metric for group in found if len(group) > 1 and (metric := _metric(runs, group))}
    if images and not groups:
        raise UserError(
            "--image: no two of these runs have pictures of the same task, data and seed, so that none stand side by "
            "side; give runs that do, or leave it out"
        )
    known = {row["id"] for group in groups for i in group for row in runs[i].rows}
    if unknown := [image for image in images if image not in known]:
        raise UserError(
            f"--image: no run has a sample of {unknown[0]!r} beside another run's; per_image.csv of each lists its ids"
        )
    return [_of_problem(runs, list(group), metric, images, ROOM / len(groups)) for group, metric in groups.items()]


def _metric(runs: Sequence[EvaluatedRun], group: Sequence[int]) -> str | None:
    """The first that an image has in one of them: by it images are chosen."""
    own = [runs[i] for i in group]
    return next((m for m in all_metrics(own) if any(m in run.results.images for run in own)), None)


def _of_problem(
    runs: Sequence[EvaluatedRun], group: list[int], metric: str, images: Sequence[str], room: float
) -> SideBySide:
    rows = {i: {(str(row["id"]), int(row["sample"])): row for row in runs[i].rows} for i in group}
    places: dict[Key, list[str]] = {}
    for key, place in _candidates(runs, group, rows, metric, images):
        places.setdefault(key, []).append(place)
    each = room / AT_LEAST / (2 + len(group))  # of a picture
    made: list[Row] = []
    for key, found in places.items():
        row = image_row(runs, rows, key, "; ".join(dict.fromkeys(found)), metric, each)
        room -= row.size
        if made and row.image_id not in images and (room < 0 or len(made) >= MOST):
            break
        made.append(row)
    notes = [about_truth(runs[group[0]])]
    if len(made) < len(places):
        notes.append(f"The page has room for {len(made)} of the {len(places)} images that were chosen")
    return SideBySide(group, metric, made, "; ".join(note for note in notes if note))


def _candidates(
    runs: Sequence[EvaluatedRun], group: list[int], rows: Mapping[int, Rows], metric: str, images: Sequence[str]
) -> Iterator[tuple[Key, str]]:
    """Images with why they are shown: those asked for; where the runs differ most; each run's worst, median, best."""
    for image in images:
        yield from (
            ((image, key[1]), "asked for")
            for key in dict.fromkeys(k for i in group for k in rows[i])
            if key[0] == image
        )
    values = {key: [value_of(rows[i].get(key), metric) for i in group] for key in rows[group[0]]}
    spans = {key: max(found) - min(found) for key, found in values.items() if all(map(math.isfinite, found))}
    for key in sorted(spans, key=lambda key: -spans[key])[:3]:
        yield key, "the runs differ most"
    extremes = {i: chosen(runs[i], metric) for i in group}
    for back in (-1, -2, -3):  # the worst, the median, the best
        for i in group:
            if len(extremes[i]) >= -back:
                place, row = extremes[i][back]
                yield (str(row["id"]), int(row["sample"])), f"{place} of {runs[i].name}"
