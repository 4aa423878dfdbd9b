"""How near the samples of the portrait model are to the portrait world.

    python -m benchmarks.portraits.evaluate

Fréchet distance between Gaussians fitted to 64 whitened principal components of the pixels; the components are those of
the first 2000 training pictures, so they are the same on every machine. Two disjoint sets of real pictures give the
smallest distance to be hoped for at this number of samples.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dsg.data.portraits import HELD_OUT_START
from dsg.models.portraits.network import WEIGHTS, load_network, sample

from .pictures import Pictures

COMPONENTS = 64


class Features:
    """Projects images (N, 3, 64, 64) in [-1, 1] on whitened principal components: (N, 64), float64."""

    def __init__(self, images):
        flat = images.reshape(len(images), -1).astype(np.float64)
        self.mean = flat.mean(0)
        # The eigenvectors of the small Gram matrix give those of the large covariance.
        values, vectors = np.linalg.eigh((flat - self.mean) @ (flat - self.mean).T / len(flat))
        axes = (flat - self.mean).T @ vectors[:, ::-1][:, :COMPONENTS]
        self.axes = axes / (len(flat) ** 0.5 * values[::-1][:COMPONENTS])

    def __call__(self, images):
        return (images.reshape(len(images), -1) - self.mean) @ self.axes


def frechet_distance(first, second):
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) of two sets of features (N, D); (Dowson & Landau 1982)."""
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    roots = np.sqrt(np.clip(np.linalg.eigvals(c1 @ c2).real, 0.0, None))
    return float(((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(c1) + np.trace(c2) - 2.0 * roots.sum())


def real(first, count):
    images, labels = Pictures(first, count).collect()
    return images / np.float32(127.5) - np.float32(1.0), labels


def generate(network, labels, steps, device, batch_size):
    """Samples with the given labels (N,), float32 (N, 3, 64, 64); the noise is drawn on the CPU from seed 0."""
    noise = torch.randn(len(labels), 3, 64, 64, generator=torch.Generator().manual_seed(0))
    classes = torch.from_numpy(labels).long()
    parts = []
    for x, c in zip(noise.split(batch_size), classes.split(batch_size), strict=True):
        with torch.autocast(device, torch.bfloat16):
            parts.append(sample(network, x.to(device), c.to(device), steps).cpu())
    return torch.cat(parts).numpy()


def grid(images, columns=4, gap=2):
    """A white-ruled sheet, uint8 (H, W, 3), of images (N, 3, 64, 64) in [-1, 1]."""
    cells = [np.pad(i.transpose(1, 2, 0), ((gap, gap), (gap, gap), (0, 0)), constant_values=1.0) for i in images]
    rows = [np.concatenate(cells[k : k + columns], 1) for k in range(0, len(cells), columns)]
    return np.rint((np.concatenate(rows).clip(-1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=100, help="DDIM steps")
    parser.add_argument("--batch_size", type=int, default=250)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("evaluation.json"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/portraits_samples.png"))
    options = parser.parse_args()

    began = time.monotonic()
    features = Features(real(0, 2000)[0])
    held_out, labels = real(HELD_OUT_START, options.samples)
    others, _ = real(HELD_OUT_START + options.samples, options.samples)
    network = load_network(options.weights).to(options.device)
    samples = generate(network, labels, options.steps, options.device, options.batch_size)
    result = {
        "frechet_samples_to_held_out": round(frechet_distance(features(samples), features(others)), 3),
        "frechet_held_out_to_held_out": round(frechet_distance(features(held_out), features(others)), 3),
        "features": f"{COMPONENTS} whitened principal components of the pixels of training pictures 0..1999",
        "samples": options.samples,
        "sampler": f"DDIM, {options.steps} steps, class labels as in the held-out set, no guidance",
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "seconds": round(time.monotonic() - began, 1),
    }
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    gutter = np.full((grid(samples[:16]).shape[0], 16, 3), 255, dtype=np.uint8)
    sheet = np.concatenate([grid(samples[:16]), gutter, grid(others[:16])], 1)
    Image.fromarray(sheet).resize((2 * sheet.shape[1], 2 * sheet.shape[0]), Image.Resampling.LANCZOS).save(
        options.picture, optimize=True
    )
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
