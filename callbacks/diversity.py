"""How different the samples of one measurement are from each other."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from callbacks.base import EvaluationCallback
from callbacks.quality import Quality
from dsg.errors import UserError
from dsg.metrics.diversity import mean_pairwise, pixel_deviation
from dsg.metrics.features import read_rgb
from dsg.metrics.statistics import mean_with_interval
from dsg.models.precision import full_float32
from dsg.run_folder.folder import RunFolder


class Diversity(EvaluationCallback):
    """Adds to metrics.json, where `data.samples_per_image` is above 1, the means over images of

        diversity_pixel       standard deviation over an image's samples, mean over pixels, images in [0, 1]
        diversity_lpips_vgg   mean LPIPS between pairs of an image's samples, for every network of `quality.lpips`

    computed by the first rank from the 8-bit pictures in the run folder. 0 is the same sample again and again. An image
    of which fewer than two samples are finite has no diversity and is left out. Where LPIPS is unavailable, so is the
    diversity that is made of it, for the same reason.
    """

    def complete(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        several = {image_id: files for image_id, files in _pictures(trainer.default_root_dir).items() if len(files) > 1}
        if not several:
            return
        device = trainer.strategy.root_device
        networks = next((c.networks() for c in trainer.callbacks if isinstance(c, Quality)), {})  # type: ignore[attr-defined]
        missing = {n: why for n, why in metrics.get("unavailable", {}).items() if n.startswith("lpips_")}
        metrics["unavailable"] = metrics.get("unavailable", {}) | {f"diversity_{n}": why for n, why in missing.items()}
        values: dict[str, list[float]] = defaultdict(list)
        for files in several.values():
            try:
                pictures = torch.stack([torch.from_numpy(read_rgb(file)) for file in files]).permute(0, 3, 1, 2)
            except UserError as reason:
                metrics["unavailable"] = {**metrics.get("unavailable", {}), "diversity_pixel": f"diversity: {reason}"}
                return
            pictures = pictures.to(device).float() / 255
            values["diversity_pixel"].append(pixel_deviation(pictures))
            for name, network in networks.items():
                with torch.autocast(device.type, enabled=False), full_float32():
                    distance = mean_pairwise(network.to(device), 2 * pictures - 1)
                values[f"diversity_{name}"].append(distance)
        metrics["metrics"] |= {name: mean_with_interval(of_images).as_dict() for name, of_images in values.items()}


def _pictures(run_dir: str) -> dict[str, list[Path]]:
    """The finished pictures of every image; none where every image has one, and of samples that are no pictures."""
    folder = RunFolder(run_dir)
    rows = folder.rows()
    found: dict[str, list[Path]] = defaultdict(list)
    if all(row["sample"] == 0 for row in rows):
        return found
    for row in rows:
        file = folder.picture_path("samples", row["id"], row["sample"])
        if row["status"] == "ok" and file.is_file():
            found[row["id"]].append(file)
    return found
