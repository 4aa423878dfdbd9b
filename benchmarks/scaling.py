"""What a second process brings, and what a run does besides its network.

python -m benchmarks.scaling [--processes 1 2] [--images 96] [--steps 20] [--out docs/tables/scaling.md]

The same evaluation (DSG, random inpainting, portraits) by one process and by several, on the CPU with one thread each.
images/s are those of all processes after the first batch, the time for metrics and files included; the other columns
are seconds per image. Two processes should reach 1.9 times one on a machine with nothing else to do, and only there.
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

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "configs" / "experiment" / "portraits_inpainting_dsg.yaml"


@dataclass(frozen=True)
class Measured:
    """One evaluation by some processes: seconds per image, in the network and elsewhere, of the first of them."""

    processes: int
    network: float
    other: float

    @property
    def rate(self) -> float:
        """Images per second by all processes, which share the images evenly."""
        return self.processes / (self.network + self.other)

    @property
    def share(self) -> float:
        """Of the time, how much is outside the network."""
        return self.other / (self.network + self.other)


def measure(processes: int, images: int, steps: int, batch_size: int) -> Measured:
    """Evaluate in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, str(ROOT / "train_free_eval.py"), "predict", "--config", str(CONFIG), "--run_dir", folder,
            "--trainer.accelerator", "cpu", "--trainer.devices", str(processes), "--quality.lpips", "[]",
            "--data.limit", str(images), "--data.batch_size", str(batch_size), "--model.steps", str(steps),
        ]  # fmt: skip
        if processes > 1:
            command += ["--trainer.strategy", "ddp"]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        timing = json.loads((Path(folder) / "metrics.json").read_text())["timing"]
    return Measured(processes, timing["network_seconds"], timing["other_seconds"])


def markdown(measured: list[Measured]) -> str:
    """A table; speed-up is over the first line."""
    lines = [
        "| processes | images/s | speed-up | network s | other s | outside the network |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for one in measured:
        lines.append(
            f"| {one.processes} | {one.rate:.2f} | {one.rate / measured[0].rate:.2f} | {one.network:.4f} "
            f"| {one.other:.4f} | {one.share:.1%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--images", type=int, default=96, help="more than one batch for each process")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--out", type=Path, help="also write the table here, as Markdown")
    options = parser.parse_args()
    if options.images < 2 * options.batch_size * max(options.processes):
        parser.error("--images: the first batch of a process is not timed; give each process two at least")
    measured = [measure(count, options.images, options.steps, options.batch_size) for count in options.processes]
    table = markdown(measured)
    print(table, end="")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(table)


if __name__ == "__main__":
    main()
