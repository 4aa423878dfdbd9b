"""Strips truth | measurement, or what was asked | sample | error of the best, the median and the worst image."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dsg.data.examples import measured_unseen
from dsg.errors import UserError
from dsg.metrics.direction import direction_of
from dsg.metrics.ranking import by_quality
from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.truth import check_truth, error_picture, read_truth

LARGEST = 512  # pixels a side; larger pictures are made smaller
GAIN = 4  # of the error


@dataclass(frozen=True)
class Picture:
    """One picture: what it shows, and itself as a data URI of a PNG, with its width and height."""

    label: str
    uri: str
    size: tuple[int, int]


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


def strips(run: EvaluatedRun) -> Strips | None:
    """None for a run that has no pictures."""
    metric = next((m for m in run.metrics if m in run.results.images), None)
    if metric is None or not any((run.folder.path / "samples").rglob("*.png")):
        return None
    note = ""
    if run.data is not None and measured_unseen(run.data.columns()):
        note = "There is no truth: the measurements were given without it"
    elif run.compared_with is None:
        note = "There is no truth: the task compares its samples with nothing"
    elif run.data is None:
        note = f"The truth is not shown; it cannot be read again: {run.no_data}"
    elif run.assumed:
        note = f"The truth is taken to be the image: {run.assumed}"
    made = [_strip(run, place, row, float(row[metric])) for place, row in chosen(run, metric)]
    return Strips(run, metric, made, note)


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


def _strip(run: EvaluatedRun, place: str, row: dict[str, Any], value: float) -> Strip:
    image_id, number = str(row["id"]), int(row["sample"])
    pictures, notes = [], []
    sample = None
    try:
        paths = {kind: run.folder.picture_path(kind, image_id, n) for kind, n in
                 (("measurements", 0), ("samples", number))}  # fmt: skip
    except UserError as reason:
        return Strip(place, image_id, number, value, [], str(reason))
    for label, kind in ((_asked(run), "measurements"), ("sample", "samples")):
        try:
            found = _read(paths[kind], run.folder.path)
        except UserError as reason:
            notes.append(str(reason))
            continue
        pictures.append(_picture(label, found))
        sample = found if kind == "samples" else None
    if run.data is not None and sample is not None and run.compared_with is not None:
        try:
            truth = read_truth(run.data, image_id, run.compared_with)
            check_truth(truth, sample, row.get("psnr"))
            error = error_picture(truth, sample, GAIN)
            pictures = [_picture("truth", truth), *pictures, _picture(f"error × {GAIN}", error)]
        except UserError as reason:
            notes.append(f"no truth: {reason}")
    return Strip(place, image_id, number, value, pictures, "; ".join(notes))


def _asked(run: EvaluatedRun) -> str:
    """What the picture beside the sample is called: what need not be like the sample was asked of it, not measured."""
    unseen = run.data is not None and measured_unseen(run.data.columns())
    return "asked" if run.compared_with is None and not unseen else "measurement"


def _read(path: Path, folder: Path) -> Tensor:
    """A picture of the run folder, (3,H,W) uint8."""
    if not path.resolve().is_relative_to(folder.resolve()):  # a page may be sent to others
        raise UserError(f"{path} is a link that leads out of the run folder, and is not followed")
    try:
        with Image.open(path) as file:
            return torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing") from error
    except Exception as error:  # decoders raise many kinds
        raise UserError(f"{path} cannot be read") from error


def _picture(label: str, pixels: Tensor) -> Picture:
    image = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    size = image.size
    if max(size) > LARGEST:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        label = f"{label} (shown at {image.width}x{image.height})"
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return Picture(label, f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", size)
