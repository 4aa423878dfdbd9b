"""How good the latent world is: its floor, how near its samples are to portraits, and what they show of captions.

    python -m benchmarks.portraits.evaluate_latent

The floor is the PSNR of decode(encode(x)). The Fréchet distance is of the judge's 64 features, to the reference of
`fd_portraits`; it falls with the number of pictures, so that the pixel model and held-out portraits stand beside at the
same number. Agreement is the share of named facts that the judge of captions sees.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from dsg.data.portraits import HELD_OUT_START, caption
from dsg.metrics.feature_set import read_statistics
from dsg.metrics.frechet import Moments, frechet_distance
from dsg.metrics.portraits import REFERENCE
from dsg.models.portraits.attribute_judge import WEIGHTS, AttributeJudge
from dsg.models.portraits.classifier import FEATURES, PortraitsClassifier
from dsg.models.portraits.network import load_network
from dsg.models.portraits.network import sample as sample_pixels

from .evaluate import grid
from .latent_sampling import World, load_world, sample
from .latents import as_images
from .pictures import render_bytes
from .train_autoencoder import psnr

FOLDER = WEIGHTS.with_name("latent")
SHOWN = (5, 6, 9, 12, 17, 22, 31, 37)  # of the held-out portraits, for the picture
START = HELD_OUT_START + 900_000  # apart from what trainings and references look at
BATCH = 50


def frechet(images: Tensor) -> float:
    """Distance of pictures (N,3,64,64) to the reference of `fd_portraits`."""
    judge, moments = PortraitsClassifier("judge"), Moments(FEATURES)
    with torch.no_grad():
        for part in images.split(100):
            moments.add(judge.features(part))
    return round(frechet_distance(moments.statistics(), read_statistics(REFERENCE, FEATURES).statistics), 3)


def agreement(images: Tensor, indices: range) -> dict[str, float]:
    """Share of the facts named in the captions of these portraits that the judge sees in the pictures, and of each."""
    seen: dict[str, list[bool]] = {}
    told = [caption(index).named for index in indices]
    for answer in AttributeJudge().agrees(images, told):
        for name, right in answer.items():
            seen.setdefault(name, []).append(right)
    every = [right for rights in seen.values() for right in rights]
    return {"all": round(float(np.mean(every)), 4)} | {k: round(float(np.mean(v)), 4) for k, v in sorted(seen.items())}


def drawn(world: World, indices: range, steps: int, scale: float) -> Tensor:
    """A sample of each portrait's caption; its noise is of its index alone."""
    parts = []
    for start in range(0, len(indices), BATCH):
        part = indices[start : start + BATCH]
        noise = torch.stack([torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(i)) for i in part])
        parts.append(sample(world, [caption(index).text for index in part], noise, steps, scale))
    return torch.cat(parts)


def pixel_samples(labels: np.ndarray, steps: int) -> Tensor:
    network, generator = load_network(), torch.Generator().manual_seed(0)
    parts = []
    for part in torch.from_numpy(labels).long().split(BATCH):
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(sample_pixels(network, torch.randn(len(part), 3, 64, 64, generator=generator), part, steps))
    return torch.cat(parts).float()


def sheet(world: World, steps: int, scale: float) -> Image.Image:
    """Of eight captions: the held-out render, and four samples of it."""
    indices = [HELD_OUT_START + i for i in SHOWN]
    cells = []
    for index in indices:
        noise = torch.randn(4, 4, 16, 16, generator=torch.Generator().manual_seed(index))
        real = as_images(torch.from_numpy(render_bytes(index, index + 1)[0]))
        cells.append(torch.cat([real, sample(world, [caption(index).text] * 4, noise, steps, scale)]))
    side, text = 2, 470
    rows = [Image.fromarray(grid(cell.numpy(), columns=5)) for cell in cells]
    width, height = rows[0].width * side, rows[0].height * side
    whole = Image.new("RGB", (width + text, height * len(rows)), "white")
    draw = ImageDraw.Draw(whole)
    for k, (row, index) in enumerate(zip(rows, indices, strict=True)):
        whole.paste(row.resize((width, height), Image.Resampling.LANCZOS), (text, k * height))
        draw.multiline_text((8, k * height + 30), _wrapped(caption(index).text), fill="black", font_size=18, spacing=6)
    return whole


def _wrapped(text: str, width: int = 50) -> str:
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) >= width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def figures(world: World, options: argparse.Namespace) -> dict:
    """Floor, distances and agreement, as the options ask for them."""
    began = time.monotonic()
    indices = range(START, START + options.count)
    pictures, labels = render_bytes(indices.start, indices.stop)
    real = as_images(torch.from_numpy(pictures))
    result = {
        "floor_psnr": round(psnr(world.vae, real[:256]), 2),
        "floor_pictures": len(real[:256]),
        "frechet_held_out": frechet(real),
        "agreement_held_out": agreement(real, indices),
    }
    with torch.no_grad():
        decoded = [world.vae.decode(world.vae.encode(x).latent_dist.mode()).sample.clamp(-1, 1) for x in real.split(50)]
    result["frechet_decoded"] = frechet(torch.cat(decoded))
    result["agreement_decoded"] = agreement(torch.cat(decoded), indices)["all"]
    for scale in options.scales:
        images = drawn(world, indices, options.steps, scale)
        result[f"guidance_{scale:g}"] = {"frechet": frechet(images), "agreement": agreement(images, indices)}
        print(scale, result[f"guidance_{scale:g}"], flush=True)
    if options.pixel_steps:
        result["frechet_pixel_model"] = frechet(pixel_samples(labels, options.pixel_steps))
        result["pixel_sampler"] = f"{options.pixel_steps} DDIM steps with the class labels of the same portraits"
    elif options.json.exists():
        kept = json.loads(options.json.read_text())
        result |= {name: kept[name] for name in ("frechet_pixel_model", "pixel_sampler") if name in kept}
    return result | {
        "pictures": f"{options.count} of the captions of held-out portraits from {START} on",
        "sampler": f"{options.steps} Euler steps",
        "seconds": round(time.monotonic() - began),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the pipeline")
    parser.add_argument("--count", type=int, default=500, help="samples of each kind; 0 draws the picture alone")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--pixel_steps", type=int, default=50, help="DDIM steps; 0 keeps the number in the file")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("evaluation_latent.json"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/portraits_latent.png"))
    options = parser.parse_args()

    world = load_world(options.folder)
    if options.count:
        result = figures(world, options)
        options.json.write_text(json.dumps(result, indent=2) + "\n")
        print(json.dumps(result, indent=2))
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    sheet(world, 50, 2.0).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
