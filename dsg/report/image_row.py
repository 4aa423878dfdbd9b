"""One image under several runs: truth, measurement, and each run's sample with its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from dsg.errors import UserError
from dsg.metrics.ranking import by_quality
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.picture import Picture, picture, read_picture
from dsg.report.pictures import asked
from dsg.report.tables import direction
from dsg.report.truth import check_truth, read_truth

FEW, SMALLER = 4, 256  # beyond so many runs pictures have at most so many pixels a side
NUMBERS = 3  # below a picture
Key = tuple[str, int]
"""Image id and number of the sample."""
Rows = Mapping[Key, Mapping[str, Any]]


@dataclass(frozen=True)
class Tile:
    """A run's sample, by the run's index: its picture with its file, and its numbers; or why there is none."""

    run: int
    picture: Picture | None = None
    file: tuple[str, ...] = ()
    said: str = ""
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


def image_row(
    runs: Sequence[EvaluatedRun], rows: Mapping[int, Rows], key: Key, place: str, metric: str, room: float
) -> Row:
    """One sample of an image, with whatever of it can be read.

    Args:
        runs: of the report.
        rows: those of the runs that are shown, by their index.
        key: which sample.
        place: why it is shown.
        metric: by which one of them is ahead.
        room: characters of a picture.
    """
    largest = SMALLER if len(rows) > FEW else 2 * SMALLER
    ahead = _best(runs, rows, key, metric)
    tiles, notes = [], []
    pixels: dict[int, Tensor] = {}
    for i, of_run in rows.items():
        row = of_run.get(key)
        try:
            if row is None or row["status"] != "ok":
                raise UserError("not sampled" if row is None else str(row["status"]))
            path = runs[i].folder.picture_path("samples", *key)
            pixels[i] = read_picture(path, runs[i].folder.path)
        except UserError as reason:
            tiles.append(Tile(i, said=str(reason)))
            continue
        file = path.relative_to(runs[i].folder.path).parts
        shown = picture("sample", pixels[i], largest, room)
        tiles.append(Tile(i, shown, file, numbers=_numbers(runs[i], row, metric), is_best=i == ahead))
    shared = []
    truth = _truth(runs, rows, key, pixels)
    if isinstance(truth, Tensor):
        shared.append(picture("truth", truth, largest, room))
    elif truth:
        notes.append(truth)
    measured, missing = _measured(runs, rows, key[0])
    if measured is not None:
        shared.append(picture(measured[0], measured[1], largest, room))
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
    """The run that is ahead on this sample, where it is known what is better and several have it; of a tie none."""
    towards = direction(metric, [runs[i] for i in rows])
    values = {i: value for i in rows if math.isfinite(value := value_of(rows[i].get(key), metric))}
    if not towards.sign or len(values) < 2:
        return None
    first, second, *_ = by_quality(list(values.values()), towards)
    compared = towards.compared(np.array(list(values.values())))
    return None if compared[first] == compared[second] else list(values)[first]


def value_of(row: Mapping[str, Any] | None, metric: str) -> float:
    """NaN where there is none."""
    found = None if row is None or row["status"] != "ok" else row.get(metric)
    return math.nan if found is None else float(found)


def _numbers(run: EvaluatedRun, row: Mapping[str, Any], metric: str) -> tuple[str, ...]:
    """The first few of its metrics, `psnr 26.3`, before them the one by which runs are compared: it may be marked."""
    named = [metric, *(m for m in run.metrics if m != metric)]
    known = [(m, float(row[m])) for m in named if isinstance(row.get(m), int | float)]
    return tuple(f"{name} {value:.4g}" for name, value in known[:NUMBERS])
