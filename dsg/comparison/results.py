"""What a comparison needs of a run folder: one number an image and metric."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from dsg.errors import UserError
from dsg.metrics.summary import DESCRIPTIVE
from dsg.run_folder.folder import METRICS, TABLE


@dataclass(frozen=True)
class Results:
    """One finished run.

    Args:
        images: metric: image id: the mean over the image's samples that were measured and are finite. Images that
            failed are left out.
        failures: how many images did.
        overall: metrics.json's `metrics`, for those that belong to all images together.
        unavailable: why a metric could not be measured.
    """

    images: dict[str, dict[str, float]]
    failures: int
    overall: dict[str, dict[str, Any]]
    unavailable: dict[str, str]

    def values(self, metric: str) -> np.ndarray:
        """(n,), by id."""
        values = self.images.get(metric, {})
        return np.array([values[key] for key in sorted(values)])

    def differences(self, other: Results, metric: str) -> np.ndarray:
        """This run's value minus the other's, (pairs,), over the images that both have."""
        one, two = self.images.get(metric, {}), other.images.get(metric, {})
        return np.array([one[key] - two[key] for key in sorted(one.keys() & two.keys())])

    def mean(self, metric: str) -> float:
        """Over images; of a metric of all images together, its value; NaN if there is none."""
        values = self.images.get(metric)
        return fmean(values.values()) if values else float(self.overall.get(metric, {}).get("mean", math.nan))

    def has(self, metric: str) -> bool:
        return metric in self.images or metric in self.overall


def read_results(folder: Path) -> Results:
    """The results in a run folder.

    Raises:
        UserError: if it holds none.
    """
    try:
        with (folder / TABLE).open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        failed = {row["id"] for row in rows if row["status"] != "ok"}
        images = by_image([row for row in rows if row["id"] not in failed])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: holds no results that can be read; delete it and run again") from error
    return Results(images, len(failed), metrics.get("metrics", {}), metrics.get("unavailable", {}))


def by_image(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Metric: image id: the mean over the image's samples, of the journal's rows or of per_image.csv's."""
    steady = any(str(row.get("warm_up")) == "False" for row in rows)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for name in row.keys() - DESCRIPTIVE:
            if row[name] in (None, "") or (name == "seconds" and steady and str(row["warm_up"]) == "True"):
                continue  # a start's first batch counts only if there is no other
            if math.isfinite(value := float(row[name])):
                found[name][row["id"]].append(value)
    return {name: {key: fmean(samples) for key, samples in images.items()} for name, images in found.items()}


def require_metrics(results: Results, name: str, metrics: list[str]) -> None:
    """Raise UserError, with the run's own reason, unless the run has all of `metrics`, or no image to measure."""
    if not results.images:
        return
    for metric in metrics:
        if not results.has(metric):
            reason = results.unavailable.get(metric) or f"there are {', '.join(sorted(results.images))}"
            raise UserError(
                f"comparison.metrics: {name} has no {metric} ({reason}); "
                "mend that, take it away, or name it in optional_metrics"
            )
