"""From per-image rows to means with intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from dsg.run_folder.journal import Row

DESCRIPTIVE = frozenset({"id", "sample", "status", "warm_up"})
QUALITY = ("psnr", "ssim", "lpips")


def bootstrap_mean(values: Sequence[float], resamples: int = 2000) -> dict[str, float]:
    """Mean of per-image values with its 95 % percentile-bootstrap interval over images, deterministic.

    Returns `mean`, `low`, `high` and `n`; the interval of one value is that value.
    """
    data = np.asarray(values, dtype=np.float64)
    generator = np.random.Generator(np.random.PCG64DXSM(0))
    means = [data[generator.integers(len(data), size=len(data))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(data.mean()), "low": float(low), "high": float(high), "n": len(data)}


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """metrics.json of the rows: every measured column over the images that did not fail, and the failures by id.

    Several samples of an image count as one value, their mean: they are no independent pictures. Of quality there are
    also `<name>_best` and `<name>_worst`, the means over images of their best and worst sample. `seconds` leaves out
    the warm-up batch of each start, unless there is nothing else.
    """
    good = [row for row in rows if row["status"] == "ok"]
    names = dict.fromkeys(name for row in good for name in row if name not in DESCRIPTIVE)
    metrics: dict[str, Any] = {}
    for name in names:
        measured = [row for row in good if row.get(name) is not None]
        if name == "seconds":
            measured = [row for row in good if not row["warm_up"]] or measured
        if measured:
            metrics[name] = _over_images(measured, name)
            if name.startswith(QUALITY) and any(row["sample"] for row in measured):
                better, worse = (min, max) if name.startswith("lpips") else (max, min)
                metrics[f"{name}_best"] = _over_images(measured, name, better)
                metrics[f"{name}_worst"] = _over_images(measured, name, worse)
    failures = [{key: row[key] for key in ("id", "sample", "status")} for row in rows if row["status"] != "ok"]
    images = len({row["id"] for row in rows})
    return {"metrics": metrics, "images": images, "samples": len(rows), "failures": failures}


def _over_images(
    rows: Sequence[Row], name: str, of_samples: Callable[[list[float]], float] = fmean
) -> dict[str, float]:
    """`bootstrap_mean` of one value an image: the mean over its samples, or another choice among them.

    Values that are not finite, as the PSNR of an exact copy, are counted in `not_finite` and not averaged in.
    """
    finite: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if math.isfinite(row[name]):
            finite[row["id"]].append(row[name])
    summary: dict[str, float] = (
        bootstrap_mean([float(of_samples(values)) for values in finite.values()]) if finite else {"n": 0}
    )
    left_out = len(rows) - sum(map(len, finite.values()))
    return {**summary, "not_finite": left_out} if left_out else summary
