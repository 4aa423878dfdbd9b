"""The same image under all runs: truth, measurement, and each run's sample with its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dsg.errors import UserError
from dsg.metrics.ranking import by_quality
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.picture import Picture, picture, read_picture
from dsg.report.pictures import about_truth, asked, chosen, has_pictures
from dsg.report.problems import of_one_problem
from dsg.report.tables import all_metrics, direction
from dsg.report.truth import check_truth, read_truth

ROOM = 2_300_000  # characters of all pictures that stand side by side
MOST = 24  # images of a problem
FEW, SMALLER = 4, 256  # beyond so many runs pictures have at most so many pixels a side
NUMBERS = 3  # below a picture
Key = tuple[str, int]
Rows = Mapping[Key, Mapping[str, Any]]


@dataclass(frozen=True)
class Tile:
    """A run's sample, by the run's index: its picture with its file, and its numbers; or why there is none."""

    run: int
    picture: Picture | None
    file: tuple[str, ...]
    said: str
    numbers: tuple[str, ...] = ()
    is_best: bool = False


@dataclass(frozen=True)
class Row:
    """One sample of an image in all runs: why it is shown, truth and measurement as far as they can be, and tiles."""

    image_id: str
    sample: int
    place: str
    shared: list[Picture]
    tiles: list[Tile]
    note: str

    @property
    def size(self) -> int:
        """How many characters its pictures take on the page."""
        shown = [*self.shared, *(tile.picture for tile in self.tiles if tile.picture is not None)]
        return sum(len(found.uri) for found in shown)


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
        UserError: for an id of which no run has a sample.
    """
    groups = [group for found in of_one_problem(runs) if len(group := [i for i in found if has_pictures(runs[i])]) > 1]
    known = {row["id"] for run in runs for row in run.rows}
    if unknown := [image for image in images if image not in known]:
        raise UserError(f"--image: no run has a sample of {unknown[0]!r}; per_image.csv of each run lists its ids")
    made = [_of_problem(runs, group, images, ROOM / len(groups)) for group in groups]
    return [found for found in made if found is not None]


def _of_problem(
    runs: Sequence[EvaluatedRun], group: list[int], images: Sequence[str], room: float
) -> SideBySide | None:
    own = [runs[i] for i in group]
    metric = next((m for m in all_metrics(own) if any(m in run.results.images for run in own)), None)
    if metric is None:
        return None
    rows = {i: {(str(row["id"]), int(row["sample"])): row for row in runs[i].rows} for i in group}
    places: dict[Key, list[str]] = {}
    for key, place in _candidates(runs, group, rows, metric, images):
        places.setdefault(key, []).append(place)
    made: list[Row] = []
    for key, found in places.items():
        row = _row(runs, rows, key, "; ".join(dict.fromkeys(found)), metric)
        room -= row.size
        if made and row.image_id not in images and (room < 0 or len(made) >= MOST):
            break
        made.append(row)
    notes = [about_truth(own[0])]
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
    values = {key: [_value(rows[i].get(key), metric) for i in group] for key in rows[group[0]]}
    spans = {key: max(found) - min(found) for key, found in values.items() if all(map(math.isfinite, found))}
    for key in sorted(spans, key=lambda key: -spans[key])[:3]:
        yield key, "the runs differ most"
    extremes = {i: chosen(runs[i], metric) for i in group}
    for back in (-1, -2, -3):  # the worst, the median, the best
        for i in group:
            if len(extremes[i]) >= -back:
                place, row = extremes[i][back]
                yield (str(row["id"]), int(row["sample"])), f"{place} of {runs[i].name}"


def _row(runs: Sequence[EvaluatedRun], rows: Mapping[int, Rows], key: Key, place: str, metric: str) -> Row:
    largest = SMALLER if len(rows) > FEW else 2 * SMALLER
    tiles, notes = [], []
    pixels: dict[int, Tensor] = {}
    for i, of_run in rows.items():
        row = of_run.get(key)
        if row is None or row["status"] != "ok":
            why = "not sampled" if row is None else str(row["status"])
            tiles.append(Tile(i, None, (), why))
            continue
        try:
            path = runs[i].folder.picture_path("samples", *key)
            pixels[i] = read_picture(path, runs[i].folder.path)
            file = path.relative_to(runs[i].folder.path).parts
            tiles.append(
                Tile(
                    i,
                    picture("sample", pixels[i], largest),
                    file,
                    "",
                    _numbers(runs[i], row),
                    i == _best(runs, rows, key, metric),
                )
            )
        except UserError as reason:
            tiles.append(Tile(i, None, (), str(reason)))
    shared = []
    truth = _truth(runs, rows, key, pixels)
    if isinstance(truth, Tensor):
        shared.append(picture("truth", truth, largest))
    elif truth:
        notes.append(truth)
    measured, missing = _measured(runs, rows, key[0])
    if measured is not None:
        shared.append(picture(measured[0], measured[1], largest))
    elif missing:
        notes.append(missing)
    return Row(*key, place, shared, tiles, "; ".join(notes))


def _truth(
    runs: Sequence[EvaluatedRun], rows: Mapping[int, Rows], key: Key, pixels: Mapping[int, Tensor]
) -> Tensor | str:
    """What one of the samples is known to be measured against, or why there is none; nothing where that is said."""
    reason = ""
    for i, sample in pixels.items():
        run = runs[i]
        if run.data is None or run.compared_with is None:
            continue
        try:
            truth = read_truth(run.data, key[0], run.compared_with)
            check_truth(truth, sample, rows[i][key].get("psnr"))
            return truth
        except UserError as error:
            reason = f"no truth: {error}"
    return reason


def _measured(
    runs: Sequence[EvaluatedRun], rows: Mapping[int, Rows], image_id: str
) -> tuple[tuple[str, Tensor] | None, str]:
    """The first run's picture of the measurement, under its name; or why there is none."""
    reason = ""
    for i in rows:
        try:
            path = runs[i].folder.picture_path("measurements", image_id, 0)
            return (asked(runs[i]), read_picture(path, runs[i].folder.path)), ""
        except UserError as error:
            reason = reason or str(error)
    return None, reason


def _best(runs: Sequence[EvaluatedRun], rows: Mapping[int, Rows], key: Key, metric: str) -> int | None:
    """The run that is ahead on this sample, where it is known what is better and several have it."""
    towards = direction(metric, [runs[i] for i in rows])
    values = {i: value for i in rows if math.isfinite(value := _value(rows[i].get(key), metric))}
    if not towards.sign or len(values) < 2:
        return None
    return list(values)[by_quality(list(values.values()), towards)[0]]


def _value(row: Mapping[str, Any] | None, metric: str) -> float:
    """NaN where there is none."""
    found = None if row is None or row["status"] != "ok" else row.get(metric)
    return math.nan if found is None else float(found)


def _numbers(run: EvaluatedRun, row: Mapping[str, Any]) -> tuple[str, ...]:
    """The first few of its metrics, `psnr 26.3`."""
    known = [(m, float(row[m])) for m in run.metrics if isinstance(row.get(m), int | float)]
    return tuple(f"{name} {value:.4g}" for name, value in known[:NUMBERS])
