"""DSG against DPS on the held-out portraits, each with its strength chosen on other images over a grid of equal size.

python -m benchmarks.dsg_against_dps --out docs/tables/dsg_against_dps

Writes OUT.md, the table; OUT.csv, the PSNR of every setting on the tuning images; OUT.json, the numbers of the table.
The strengths that it chooses stand in configs/strengths/portraits.yaml too, for every run of these tasks.
About 5 minutes on one GPU, 3 hours on 2 CPU cores; finished settings are kept in OUT.cache.json and not run again.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import tasks
from dsg.data.examples import Examples
from dsg.data.image_file import to_uint8
from dsg.data.portraits import HELD_OUT_START, render
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DPS, DSG, Guidance
from dsg.metrics.image import psnr
from dsg.metrics.statistics import mean_with_interval
from dsg.models.portraits.model import Portraits
from dsg.run_folder.atomic import write_atomically
from dsg.sampling import Sampler

TASKS = {
    "random inpainting": tasks.RandomInpainting(),
    "super-resolution x4": tasks.SuperResolution(),
    "gaussian deblurring": tasks.GaussianDeblurring(),
}
STEPS = (100, 50, 20)
GRIDS: dict[str, Sequence[float]] = {
    "DPS": (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    "DSG": (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8),
}
TUNING_OFFSET = 100_000  # other held-out portraits than those that are evaluated


def guidance(method: str, strength: float) -> Guidance:
    """DPS with that step size, or DSG with that guidance rate on every step."""
    return DPS(step_size=strength) if method == "DPS" else DSG(guidance_rate=strength)


class Evaluation:
    """PSNR of every image under one setting, remembered on disk."""

    def __init__(self, model: Portraits, cache: Path, batch_size: int, device: str) -> None:
        self.model = model
        self.cache = cache
        self.known: dict[str, list[float]] = json.loads(cache.read_text()) if cache.exists() else {}
        self.batch_size = batch_size
        self.device = device

    def psnr(self, task: str, method: str, strength: float, steps: int, first: int, count: int) -> list[float]:
        """One number an image, for `count` held-out portraits from `first`."""
        key = f"{task}/{method}/{strength}/{steps}/{first}/{count}"
        if key not in self.known:
            sampler = Sampler(self.model, TASKS[task], guidance(method, strength), steps=steps)
            batches = torch.arange(first, first + count).split(self.batch_size)
            self.known[key] = [value for batch in batches for value in self._sample(sampler, tuple(batch.tolist()))]
            write_atomically(self.cache, json.dumps(self.known).encode())
        return self.known[key]

    def _sample(self, sampler: Sampler, indices: tuple[int, ...]) -> list[float]:
        images = _portraits(indices).to(self.device)
        streams = NoiseStreams([SampleKey(0, str(i)) for i in indices], self.device)
        *_, last = sampler.run(sampler.begin(Examples(images), streams))
        return psnr(_eight_bits(last.x_prev), _eight_bits(images)).tolist()


@functools.cache
def _portraits(indices: tuple[int, ...]) -> Tensor:
    return torch.stack([torch.from_numpy(render(HELD_OUT_START + i).image) for i in indices])


def _eight_bits(images: Tensor) -> Tensor:
    return to_uint8(images.nan_to_num()).float() / 255


def tune(evaluation: Evaluation, task: str, method: str, steps: int, count: int) -> tuple[float, list[dict]]:
    """The strength of best mean PSNR on the tuning images, and the whole curve."""
    curve = [
        {"task": task, "steps": steps, "method": method, "strength": s,
         "psnr": float(np.mean(evaluation.psnr(task, method, s, steps, TUNING_OFFSET, count)))}
        for s in GRIDS[method]
    ]  # fmt: skip
    return max(curve, key=lambda row: row["psnr"])["strength"], curve


def compare(evaluation: Evaluation, tuning_images: int, images: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table, a row per task and number of steps, and the tuning curves."""
    rows, curves = [], []
    for task in TASKS:
        for steps in STEPS:
            row: dict = {"task": task, "steps": steps}
            values = {}
            for method in GRIDS:
                best, curve = tune(evaluation, task, method, steps, tuning_images)
                curves += curve
                values[method] = np.array(evaluation.psnr(task, method, best, steps, 0, images))
                row |= {f"{method} strength": best, f"{method} PSNR": values[method].mean()}
                row[f"{method} at an end"] = best in (GRIDS[method][0], GRIDS[method][-1])
            paired = mean_with_interval(values["DSG"] - values["DPS"])
            row |= {"difference": paired.mean, "low": paired.low, "high": paired.high, "images": images}
            rows.append(row)
            print(row, flush=True)
    return pd.DataFrame(rows), pd.DataFrame(curves)


def markdown(table: pd.DataFrame) -> str:
    """The table as a page of the docs shows it."""
    lines = [
        "| task | steps | DPS ζ | DPS PSNR | DSG rate | DSG PSNR | DSG − DPS, paired, 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['task']} | {r['steps']} | {_strength(r, 'DPS')} | {r['DPS PSNR']:.2f} | {_strength(r, 'DSG')} "
        f"| {r['DSG PSNR']:.2f} | {r['difference']:+.2f} [{r['low']:+.2f}, {r['high']:+.2f}] |"
        for r in table.to_dict("records")
    ]
    return "\n".join(lines) + "\n"


def _strength(row: dict, method: str) -> str:
    """The chosen strength, marked with * where it is at an end of the grid: a better one may lie beyond."""
    return f"{row[f'{method} strength']:g}{'*' if row[f'{method} at an end'] else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--tuning_images", type=int, default=64)
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    model = Portraits().to(options.device)
    evaluation = Evaluation(model, options.out.with_suffix(".cache.json"), options.batch_size, options.device)
    table, curves = compare(evaluation, options.tuning_images, options.images)
    write_atomically(options.out.with_suffix(".csv"), curves.to_csv(index=False).encode())
    write_atomically(options.out.with_suffix(".json"), json.dumps(table.to_dict("records"), indent=1).encode())
    write_atomically(options.out.with_suffix(".md"), markdown(table).encode())


if __name__ == "__main__":
    main()
