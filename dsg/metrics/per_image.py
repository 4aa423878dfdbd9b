"""From rows, one a sample, to one value an image; and what a sample means that failed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from dsg.metrics.direction import direction_of
from dsg.metrics.of_samples import of_one_sample, of_samples
from dsg.metrics.passes import NAMES

DESCRIPTIVE = frozenset({"id", "sample", "status", "warm_up", "start", "group"})
COSTS = frozenset({"seconds", *NAMES})
"""What a sample cost: seconds, and passes through the network, and through a model of latents' decoder and encoder."""
TRUTHS = {"True": 1.0, "False": 0.0}
"""As a table has them."""
HEAVY_TAILED = "judge_reciprocal"
"""Metrics of this beginning, that of a group too, have no mean where one value is infinite: the others' is none."""


@dataclass(frozen=True)
class PerImage:
    """What the samples of a run say of each image.

    Several samples of an image are no independent pictures: they count as one value, the mean over those that finished.
    A failed sample has no value; its image is remembered, so that nothing is claimed in favour of the run for having
    lost it (`dsg.metrics.ranking`).

    Args:
        samples: metric: image id: the finite values of its finished samples.
        finished: images of which a sample finished.
        failed: image id: how many of its samples failed.
        not_finite: metric: how many values of finished samples are no finite numbers; they are in no mean.
        spoiled: metric: images with a value as bad as can be, NaN or infinite; they count as failed for this metric.
    """

    samples: dict[str, dict[str, list[float]]]
    finished: frozenset[str]
    failed: Mapping[str, int]
    not_finite: Mapping[str, int]
    spoiled: Mapping[str, frozenset[str]]

    @cached_property
    def values(self) -> dict[str, dict[str, float]]:
        """Metric: image id: mean over the image's samples, in the order of ids; then what they say together
        (`dsg.metrics.of_samples`). Metrics without a finite value are left out.
        """
        found = {name: {k: fmean(v) for k, v in sorted(i.items())} for name, i in self.samples.items() if i}
        for name, images in self.samples.items():
            found |= of_samples(name, images, self.flawed(name))
        return found

    @property
    def failures(self) -> int:
        """How many samples failed."""
        return sum(self.failed.values())

    def flawed(self, metric: str) -> frozenset[str]:
        """Images of which a sample failed, or is as bad as can be by `metric`."""
        return frozenset(self.failed) | self.spoiled.get(of_one_sample(metric), frozenset())

    def whole(self, metric: str) -> dict[str, float]:
        """The values of images that are not flawed."""
        flawed = self.flawed(metric)
        return {key: value for key, value in self.values.get(metric, {}).items() if key not in flawed}

    def lost_to(self, other: PerImage, metric: str) -> frozenset[str]:
        """Images that are flawed here and whole in `other`."""
        there = other.values.get(metric, {}).keys() if metric in other.values else other.finished
        return (self.flawed(metric) & frozenset(there)) - other.flawed(metric)


def per_image(rows: Sequence[Mapping[str, Any]]) -> PerImage:
    """Collect the rows of a journal, or those of a per_image.csv.

    A field that is None, empty or absent was not measured; true and false are 1 and 0; a column without a number, such
    as a name, is no metric. `seconds` leaves out the first batch of each start, unless there is nothing else.

    Raises:
        KeyError, ValueError, TypeError: for rows that are none of a run.
    """
    good = [row for row in rows if row["status"] == "ok"]
    steady = any(str(row.get("warm_up")) == "False" for row in good)
    samples: dict[str, dict[str, list[float]]] = {}
    not_finite: Counter[str] = Counter()
    spoiled: dict[str, set[str]] = defaultdict(set)
    infinite: set[str] = set()
    texts: dict[str, str] = {}
    for row in good:
        for name in row:
            if name in DESCRIPTIVE or row[name] in (None, ""):
                continue
            if name == "seconds" and steady and str(row.get("warm_up")) == "True":
                continue
            try:
                value = TRUTHS[row[name]] if row[name] in TRUTHS else float(row[name])
            except ValueError:
                texts[name] = row[name]
                continue
            images = samples.setdefault(name, {})
            if math.isfinite(value):
                images.setdefault(row["id"], []).append(value)
                continue
            not_finite[name] += 1
            if direction_of(name).is_worst(value):
                spoiled[name].add(row["id"])
            if name.startswith(HEAVY_TAILED) and math.isinf(value):
                infinite.add(name)
    if mixed := texts.keys() & samples.keys():
        raise ValueError(f"{min(mixed)} has numbers, and {texts[min(mixed)]!r}")
    for name in infinite:
        samples[name] = {}
    failed = Counter(row["id"] for row in rows if row["status"] != "ok")
    finished = frozenset(row["id"] for row in good)
    return PerImage(samples, finished, failed, not_finite, {name: frozenset(ids) for name, ids in spoiled.items()})
