"""metrics.json: from rows to means with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsg.metrics.per_image import per_image
from dsg.metrics.statistics import mean_with_interval
from dsg.run_folder.journal import Row


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Every measured column's mean over images with its 95 % interval and n, and the failures by id.

    Of quality there are also the means over images of what several samples say together (`dsg.metrics.of_samples`).
    """
    found = per_image(rows)
    metrics: dict[str, Any] = {}
    for name in dict.fromkeys([*found.samples, *found.values]):
        metrics[name] = mean_with_interval(list(found.values.get(name, {}).values())).as_dict()
        if left_out := found.not_finite.get(name):
            metrics[name]["not_finite"] = left_out
    failures = [{key: row[key] for key in ("id", "sample", "status")} for row in rows if row["status"] != "ok"]
    images = len({row["id"] for row in rows})
    return {"metrics": metrics, "images": images, "samples": len(rows), "failures": failures}
