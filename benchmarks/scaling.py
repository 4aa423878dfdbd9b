"""What a second process brings, and what a run does besides its network.

python -m benchmarks.scaling [--model portraits] [--processes 1 2] [--images 32] [--steps 8] [--batch_size 4]

The same evaluation (DSG, random inpainting) by one process and by several, on the CPU with one thread each, in turn,
because whatever slows the machine is to slow both; a line is the median of `--rounds`. images/s are those of all
processes after the first batch, by the mean of `seconds` in per_image.csv; the other columns are seconds per image of
the first process, and in them metrics and files count too. Two processes should reach 1.9 times one on a machine with
nothing else to do, and only there. `--model ffhq256` is the network of the published size with random weights,
`--model mixture` Gaussians over images of 16x16, both on pictures made for the purpose.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
EXPERIMENTS = ROOT / "configs" / "experiment"
SIZES = {"ffhq256": 256, "mixture": 16}  # pixels, where pictures have to be made


@dataclass(frozen=True)
class Measured:
    """One evaluation by some processes: seconds per image of all, and of the first in the network and elsewhere."""

    processes: int
    seconds: float
    network: float
    other: float

    @property
    def rate(self) -> float:
        """Images per second by all processes, which share the images evenly."""
        return self.processes / self.seconds

    @property
    def share(self) -> float:
        """Of the time, how much is outside the network."""
        return self.other / (self.network + self.other)


def evaluation(options: argparse.Namespace, folder: Path) -> list[str]:
    """The options of `predict` that say which model samples what; pictures are made in `folder`."""
    engine = ["--model.score_model.init_args.engine", f"dsg.models.engines.{options.engine}"] if options.engine else []
    if options.model == "portraits":
        return ["--config", str(EXPERIMENTS / "portraits_inpainting_dsg.yaml"), *engine]
    score_model = ["--model.score_model", "benchmarks.untrained.UntrainedFFHQ"]
    if options.model == "mixture":
        score_model = ["--model.score_model", "benchmarks.untrained.UntrainedMixture"]
        score_model += ["--model.score_model.init_args.components", str(options.components)]
    else:
        score_model += engine
    _make_pictures(folder, options.images, SIZES[options.model])
    data = ["--data.root", str(folder), "--data.image_size", str(SIZES[options.model]), "--data.num_workers", "0"]
    return ["--config", str(EXPERIMENTS / "ffhq_inpainting_dsg.yaml"), *score_model, *data]


def _make_pictures(folder: Path, count: int, size: int) -> None:
    """Smooth random pictures, as large as photographs of that size when compressed."""
    generator = np.random.default_rng(0)
    for i in range(count):
        coarse = generator.integers(0, 256, (size // 4, size // 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC).save(folder / f"{i:05d}.png")


def measure(processes: int, options: argparse.Namespace) -> Measured:
    """Evaluate in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        run, pictures = Path(folder) / "run", Path(folder) / "pictures"
        pictures.mkdir()
        command = [
            sys.executable, str(ROOT / "train_free_eval.py"), "predict", *evaluation(options, pictures),
            "--run_dir", str(run), "--trainer.accelerator", options.accelerator, "--trainer.devices", str(processes),
            "--quality.lpips", "[]", "--data.limit", str(options.images),
            "--data.batch_size", str(options.batch_size), "--model.steps", str(options.steps),
        ]  # fmt: skip
        if processes > 1:
            command += ["--trainer.strategy", "ddp"]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        if options.accelerator == "cpu":
            environment["OMP_NUM_THREADS"] = "1"
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        metrics = json.loads((run / "metrics.json").read_text())
    timing = metrics["timing"]
    seconds = metrics["metrics"]["seconds"]["mean"]
    return Measured(processes, seconds, timing["network_seconds"], timing["other_seconds"])


def markdown(measured: list[Measured]) -> str:
    """A table; speed-up is over the first line."""
    lines = [
        "| processes | images/s | speed-up | network s | other s | outside the network |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for one in measured:
        lines.append(
            f"| {one.processes} | {one.rate:.3g} | {one.rate / measured[0].rate:.2f} | {one.network:.4f} "
            f"| {one.other:.4f} | {one.share:.1%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["portraits", *SIZES], default="portraits")
    parser.add_argument("--engine", choices=["Plain", "Fused", "Compiled"], help="of the networks, not of the mixture")
    parser.add_argument("--accelerator", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--components", type=int, default=64, help="Gaussians of the mixture")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--images", type=int, default=32, help="more than one batch for each process")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="also write the table here, as Markdown")
    options = parser.parse_args()
    if options.images < 2 * options.batch_size * max(options.processes):
        parser.error("--images: the first batch of a process is not timed; give each process two at least")
    rounds = [[measure(count, options) for count in options.processes] for _ in range(options.rounds)]
    measured = [sorted(runs, key=lambda one: one.rate)[len(runs) // 2] for runs in zip(*rounds, strict=True)]
    table = markdown(measured)
    print(table, end="")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(table)


if __name__ == "__main__":
    main()
