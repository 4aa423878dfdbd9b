"""What a guided step through a decoder costs per image: time and memory, by how the decoder is run.

python -m benchmarks.decoder [--size 512] [--batches 1 8] [--rounds 3] [--precision bf16-mixed] [--decoding plain tiled]

Networks of Stable Diffusion 1.5's sizes (860 M of latents, 84 M of pictures) with random weights, on which neither time
nor memory depends. One step of DSG over DPS, random inpainting: a forward and a backward pass of both networks. Memory
is the most that was held at once beyond what stays (weights); on a CPU it is read from Linux. Each row is measured in a
process of its own. Tiles are half as wide as the picture. `--tiny` takes small networks, to try the script.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import tasks
from benchmarks.guided_step import guided_step, precision_context
from benchmarks.timing import median_seconds
from dsg.diffusion.schedule import NoiseSchedule
from dsg.guidance import DPS, DSG
from dsg.models.diffusers import AutoencoderFolder
from dsg.models.latent import Decoding, LatentModel
from dsg.models.network import NetworkModel

WAYS = ("plain", "checkpointed", "sliced", "checkpointed sliced", "tiled", "checkpointed tiled")


class WithoutText(nn.Module):
    """A network of texts that is told of one of 77 words, all 0."""

    def __init__(self, network: Any, width: int) -> None:
        super().__init__()
        self.network, self.width = network, width

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.network(x, t, torch.zeros(len(x), 77, self.width, dtype=x.dtype, device=x.device)).sample


def latent_model(size: int, decoding: Decoding, tiny: bool, device: str) -> LatentModel:
    """Both networks, with weights that nobody has trained."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(0)
    width, channels = (32, (32, 32, 32, 32)) if tiny else (768, (320, 640, 1280, 1280))
    options: dict[str, Any] = {
        "block_out_channels": (32, 32, 32, 32) if tiny else (128, 256, 512, 512),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
    }
    with torch.device(device):
        unet = UNet2DConditionModel(sample_size=size // 8, block_out_channels=channels, cross_attention_dim=width)
        autoencoder = AutoencoderKL(**options)
    with TemporaryDirectory() as folder:
        autoencoder.save_pretrained(folder)
        pictures = AutoencoderFolder(folder, size, decoding)
    del autoencoder
    network = WithoutText(unet, width)
    latents = NetworkModel(network, pictures.latent_shape, schedule=NoiseSchedule(), clean_range=None)
    return LatentModel(latents, pictures).to(device)


def measure(way: str, size: int, batch: int, rounds: int, precision: str, tiny: bool, device: str) -> dict[str, Any]:
    """Seconds and GiB of one guided step, per image; or why there is no number."""
    decoding = Decoding(
        sliced="sliced" in way, checkpointed="checkpointed" in way, tile_size=size // 2 if "tiled" in way else None
    )
    model = latent_model(size, decoding, tiny, device)
    x_t = torch.randn(batch, *model.shape, generator=torch.Generator().manual_seed(0)).to(device)
    task = tasks.RandomInpainting()
    gc.collect()
    before = _held(device)
    try:
        with precision_context(precision, device):
            step = guided_step(model, task, DSG(DPS()), x_t, pictures=torch.zeros(batch, *model.image_shape).to(device))
            (seconds,) = median_seconds([step], rounds, device)
    except torch.OutOfMemoryError:
        return {"way": way, "batch": batch, "failed": "out of memory"}
    held = _most_held(device) - before
    return {"way": way, "batch": batch, "seconds": seconds / batch, "gib": held / batch}


def _held(device: str) -> float:
    """What is held now, in GiB; what is held most is counted from here."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**30
    Path("/proc/self/clear_refs").write_text("5")
    return _of_the_process("VmRSS")


def _most_held(device: str) -> float:
    """The most that was held at once since `_held`, in GiB."""
    return torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else _of_the_process("VmHWM")


def _of_the_process(entry: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")) / 2**20


def in_a_process(way: str, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """One row, measured in a process of its own, so that what it held is its own."""
    command = [sys.executable, "-m", "benchmarks.decoder", "--one", way, "--batches", str(batch)]
    command += ["--size", str(options.size), "--rounds", str(options.rounds), "--precision", options.precision]
    command += ["--device", options.device, *(["--tiny"] if options.tiny else [])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    reason = "killed, out of memory" if done.returncode < 0 else done.stderr.strip().splitlines()[-1]
    return {"way": way, "batch": batch, "failed": reason}


def table_of(rows: list[dict[str, Any]], title: str) -> Table:
    table = Table(title=title)
    for heading in ("decoder", "batch", "s per image", "GiB per image"):
        table.add_column(heading, justify="left" if heading == "decoder" else "right")
    for row in rows:
        numbers = [row["failed"], ""] if "failed" in row else [f"{row['seconds']:.3f}", f"{row['gib']:.2f}"]
        table.add_row(row["way"], str(row["batch"]), *numbers)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="side of the pictures; a multiple of 64")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="32-true", choices=["32-true", "bf16-mixed"])
    parser.add_argument("--decoding", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the rows there too")
    options = parser.parse_args()
    if options.one:
        row = measure(
            options.one,
            options.size,
            options.batches[0],
            options.rounds,
            options.precision,
            options.tiny,
            options.device,
        )
        print(json.dumps(row))
        return
    rows = [in_a_process(way, batch, options) for batch in options.batches for way in options.decoding]
    name = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    Console(width=110).print(table_of(rows, f"{options.size} px, {options.precision}, {name}"))
    if options.json:
        options.json.write_text(json.dumps({"size": options.size, "device": name, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
