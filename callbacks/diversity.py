"""How different the samples of one measurement are from each other, and how they lie around the truth."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from callbacks.base import EvaluationCallback
from callbacks.quality import Quality
from dsg.data.base import EvaluationData
from dsg.data.examples import Examples
from dsg.data.image_file import to_uint8
from dsg.errors import UnreadableImage, UserError
from dsg.metrics.diversity import mean_pairwise, pixel_deviation
from dsg.metrics.ensemble import coverage, crps, nominal_coverage
from dsg.metrics.features import read_rgb
from dsg.metrics.of_samples import names_of
from dsg.metrics.perceptual import Net
from dsg.metrics.statistics import mean_with_interval
from dsg.models.precision import full_float32
from dsg.module import SamplingModule
from dsg.run_folder.folder import RunFolder

LPIPS = [f"lpips_{net}" for net in get_args(Net)]
DIVERSITY, COVERAGE = "diversity_pixel", "coverage_pixel"
AROUND_THE_TRUTH = ("crps_pixel", COVERAGE, f"{COVERAGE}_minus_nominal")


class Diversity(EvaluationCallback):
    """Adds to metrics.json, where `data.samples_per_image` is above 1, the means over images of

        diversity_pixel       standard deviation over an image's samples, mean over pixels, images in [0, 1]
        diversity_lpips_vgg   mean LPIPS between pairs of an image's samples, for every network of `quality.lpips`

    and, where the task compares samples with a truth, of

        crps_pixel                     continuous ranked probability score of the samples, mean over pixels
        coverage_pixel                 share of the pixels whose truth is inside the samples' 90 % interval
        coverage_pixel_minus_nominal   what that is above the share of a truth that is drawn as the samples are

    computed by the first rank from the 8-bit pictures in the run folder. The `nominal` share is beside the coverage: K
    samples have no 90 % interval below K = 19, and the widest that they have is taken (`dsg.metrics.ensemble`). An
    image of which fewer than two samples are finite is left out. Where LPIPS is unavailable, so is the diversity that
    is made of it, for the same reason.
    """

    metrics = rf"diversity_\w+|crps_pixel|{COVERAGE}(_minus_nominal)?"

    def meet(self, module: SamplingModule, data: EvaluationData) -> None:
        self._met = module, data

    def unavailable(self) -> dict[str, str]:
        """Everything that is of several samples, where an image has one."""
        if self._met[1].samples_per_image > 1:
            return {}
        of_pictures = [name for metric in ("psnr", "ssim", *LPIPS) for name in names_of(metric)]
        names = [*of_pictures, DIVERSITY, *(f"diversity_{name}" for name in LPIPS), *AROUND_THE_TRUTH]
        mend = "is of several samples of an image; set data.samples_per_image to 2 or more"
        return {name: f"{name}: {mend}" for name in names}

    def complete(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        several = {image_id: files for image_id, files in _pictures(trainer.default_root_dir).items() if len(files) > 1}
        if not several:
            return
        device = trainer.strategy.root_device
        networks = next((c.networks() for c in trainer.callbacks if isinstance(c, Quality)), {})  # type: ignore[attr-defined]
        unavailable = dict(metrics.get("unavailable", {}))
        missing = {n: why for n, why in unavailable.items() if n.startswith("lpips_")}
        unavailable |= {f"diversity_{n}": why for n, why in missing.items()}
        metrics["unavailable"] = unavailable
        if without := self._no_truth():
            unavailable |= dict.fromkeys(AROUND_THE_TRUTH, without)
        values: dict[str, list[float]] = defaultdict(list)
        try:
            for image_id, files in several.items():
                pictures = torch.stack([torch.from_numpy(read_rgb(file)) for file in files]).permute(0, 3, 1, 2)
                pictures = pictures.to(device).float() / 255
                values[DIVERSITY].append(pixel_deviation(pictures))
                if not without and (truth := self._truth(image_id)) is not None:
                    for name, value in _around(pictures, truth.to(device)).items():
                        values[name].append(value)
                for name, network in networks.items():
                    with torch.autocast(device.type, enabled=False), full_float32():
                        distance = mean_pairwise(network.to(device), 2 * pictures - 1)
                    values[f"diversity_{name}"].append(distance)
        except (UserError, UnreadableImage) as reason:
            unavailable |= dict.fromkeys((DIVERSITY, *AROUND_THE_TRUTH), f"diversity: {reason}")
            return
        found = {name: mean_with_interval(of_images).as_dict() for name, of_images in values.items()}
        if COVERAGE in found:
            found[COVERAGE]["nominal"] = fmean(nominal_coverage(len(files)) for files in several.values())
        metrics["metrics"] |= found

    def _no_truth(self) -> str:
        """Why there is none of samples that would be compared with one."""
        module, data = self._met
        task = module.sampler.task
        if task.compared_with is None or task.compares(data.columns()) is not None:
            return ""
        return (
            f"{', '.join(AROUND_THE_TRUTH)}: there is no truth to compare with; give it in data.truth, if you have it"
        )

    def _truth(self, image_id: str) -> Tensor | None:
        """What pictures are compared with, (C,H,W) in [0, 1]; None where that is nothing."""
        module, data = self._met
        truth = module.sampler.task.truth(Examples.of([data.load(image_id)]), module.model.image_shape)
        return None if truth is None else to_uint8(truth)[0].float() / 255


def _around(pictures: Tensor, truth: Tensor) -> dict[str, float]:
    truth = truth.expand_as(pictures[0])  # a grey one is repeated over three, as its picture is
    covered = coverage(pictures, truth)
    values = crps(pictures, truth), covered, covered - nominal_coverage(len(pictures))
    return dict(zip(AROUND_THE_TRUTH, values, strict=True))


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
