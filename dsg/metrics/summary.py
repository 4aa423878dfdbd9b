"""metrics.json: from rows to means with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsg.metrics.direction import direction_of
from dsg.metrics.per_image import per_image
from dsg.metrics.statistics import mean_with_interval
from dsg.run_folder.journal import Row

QUALITY = ("psnr", "ssim", "lpips")


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Every measured column's mean over images with its 95 % interval and n, and the failures by id.

    Of quality there are also `<name>_best` and `<name>_worst`, the means over images of their best and worst sample.
    The worst of an image is not known where a sample failed: it is left out.
    """
    found = per_image(rows)
    metrics: dict[str, Any] = {}
    for name, images in found.samples.items():
        metrics[name] = mean_with_interval(list(found.values.get(name, {}).values())).as_dict()
        if left_out := found.not_finite.get(name):
            metrics[name]["not_finite"] = left_out
        if name.startswith(QUALITY) and any(len(values) > 1 for values in images.values()):
            better, worse = (max, min) if direction_of(name).sign > 0 else (min, max)
            worst = found.of_samples(name, worse)
            metrics[f"{name}_best"] = mean_with_interval(list(found.of_samples(name, better).values())).as_dict()
            metrics[f"{name}_worst"] = mean_with_interval(
                [value for key, value in worst.items() if key not in found.flawed(name)]
            ).as_dict()
    failures = [{key: row[key] for key in ("id", "sample", "status")} for row in rows if row["status"] != "ok"]
    images = len({row["id"] for row in rows})
    return {"metrics": metrics, "images": images, "samples": len(rows), "failures": failures}
