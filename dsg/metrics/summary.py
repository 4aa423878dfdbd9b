"""From per-image rows to means with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dsg.results import Row

DESCRIPTIVE = frozenset({"id", "sample", "status", "warm_up"})


def bootstrap_mean(values: Sequence[float], resamples: int = 2000) -> dict[str, float]:
    """Mean of per-image values with its 95 % percentile-bootstrap interval over images, deterministic.

    Returns `mean`, `low`, `high` and `n`; the interval of one value is that value.
    """
    data = np.asarray(values, dtype=np.float64)
    generator = np.random.Generator(np.random.PCG64DXSM(0))
    means = [data[generator.integers(len(data), size=len(data))].mean() for _ in range(resamples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(data.mean()), "low": float(low), "high": float(high), "n": len(data)}


def _mean_of_finite(values: Sequence[float]) -> dict[str, float]:
    """`bootstrap_mean` of the finite values; the others, as the PSNR of an exact copy, are counted in `not_finite`."""
    finite = [value for value in values if math.isfinite(value)]
    summary: dict[str, float] = bootstrap_mean(finite) if finite else {"n": 0}
    return summary if len(finite) == len(values) else {**summary, "not_finite": len(values) - len(finite)}


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """metrics.json of the rows: every measured column over the images that did not fail, and the failures by id.

    `seconds` leaves out the warm-up batch of each start, unless there is nothing else.
    """
    good = [row for row in rows if row["status"] == "ok"]
    names = dict.fromkeys(name for row in good for name in row if name not in DESCRIPTIVE)
    metrics: dict[str, Any] = {}
    for name in names:
        values = [row[name] for row in good if row.get(name) is not None]
        if name == "seconds":
            values = [row[name] for row in good if not row["warm_up"]] or values
        if values:
            metrics[name] = _mean_of_finite(values)
    failures = [{key: row[key] for key in ("id", "sample", "status")} for row in rows if row["status"] != "ok"]
    return {"metrics": metrics, "images": len(rows), "failures": failures}
