"""Train a score model on a long-tailed set of the portraits' classes: plain, or balanced.

    python -m benchmarks.portraits.train_long_tail --loss plain --out runs/long_tail_plain
    python -m benchmarks.portraits.train_long_tail --loss balanced --out runs/long_tail_balanced

Both see the same pictures in the same order with the same noise, as often; the balanced one's steps take twice as long.
Started again with the same folder, a training goes on. `--loss balanced --fine_tune WEIGHTS --labels uniform` goes on
from weights of a plain one, as Qin et al. 2023 (2305.00562) fine-tune.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from dsg.data.portraits import render
from dsg.data.portraits.long_tail import class_counts, picture_indices
from dsg.errors import UserError
from dsg.models.checkpoint import load_exactly
from dsg.models.portraits.latent_model import FOLDER
from dsg.models.portraits.long_tail_network import build_network
from dsg.models.portraits.network import NULL_CLASS, NUM_TIMESTEPS, SCHEDULE, save_weights

from .latents import cached_latents
from .learning import learn
from .losses import ClassBalancing, Denoising, Loss
from .replicas import Replicas
from .timed import Average, Timed

FIRST, LAST = 430_000, 460_000  # beyond what the classifiers learn from, and before what others do


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt, the log and the weights")
    parser.add_argument("--loss", choices=("plain", "balanced"), required=True)
    parser.add_argument("--largest", type=int, default=5000, help="pictures of the first class")
    parser.add_argument("--ratio", type=float, default=0.01, help="of the last class's pictures to the first one's")
    parser.add_argument("--steps", type=int, default=8_000, help="of both trainings, all starts together")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--label_dropout", type=float, default=0.1)
    parser.add_argument("--tau", type=float, default=1.0, help="strength of the regulariser")
    parser.add_argument("--labels", choices=("prior", "uniform"), default="prior", help="what y' is drawn from")
    parser.add_argument("--fine_tune", type=Path, help="weights to begin with")
    parser.add_argument("--latents", type=Path, help="file of the encoded pictures, shared by trainings on one set")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args(given)


def rendered(indices: np.ndarray) -> np.ndarray:
    """Those portraits, uint8 (N,3,64,64)."""
    return np.stack([np.rint((render(int(index)).image + 1.0) * 127.5).astype(np.uint8) for index in indices])


def loss_of(options: argparse.Namespace, counts: tuple[int, ...], step: int) -> Loss:
    """The loss that was asked for; the other labels of a start at `step` are others than those of the first."""
    if options.loss == "plain":
        return Denoising(SCHEDULE)
    return ClassBalancing(SCHEDULE, counts, options.tau, options.labels, seed=step)


def train(options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    counts = class_counts(options.largest, options.ratio, NULL_CLASS)
    indices, classes = picture_indices(FIRST, counts)
    asked = f"{options.loss}, tau {options.tau}, labels {options.labels}, pictures {list(counts)}"
    if (last := int(indices[-1])) >= LAST:
        raise UserError(f"--largest: the set would reach portrait {last}, others begin at {LAST}; take fewer")
    run = Timed(options.out, f"long_tail_{options.loss}", math.inf, options.lr, Replicas(device), steps=options.steps)
    if (of := run.saved.get("of", asked)) != asked:
        raise UserError(f"--out: {run.checkpoint} is of another training ({of}); take another folder")
    loss = loss_of(options, counts, run.step)
    file = options.latents or options.out / "latents.pt"
    if file.exists():
        latents = torch.load(file, weights_only=True)
    else:
        autoencoder: Any = AutoencoderKL.from_pretrained(FOLDER / "vae").eval().to(device)  # pyright: ignore
        latents = cached_latents(file, autoencoder, rendered(indices), device)
    if len(latents) != len(indices):
        raise UserError(f"--latents: {file} holds {len(latents)} pictures and the set has {len(indices)}; delete it")
    latents, labels_of = latents.to(device), torch.from_numpy(classes).to(device)
    print(f"{len(indices)} pictures, of the classes {counts}", flush=True)

    torch.manual_seed(0)  # the same first weights
    network = build_network()
    if options.fine_tune is not None:
        load_exactly(network, options.fine_tune)
    network.load_state_dict(run.saved.get("network", network.state_dict()))
    network.to(device).train()  # pyright: ignore[reportArgumentType]
    if device.type == "cpu":  # the backward of fused attention takes twice as long there
        for part in network.modules():
            if isinstance(part, Attention):
                part.set_processor(AttnProcessor())
    average = Average(network, options.ema, run.saved.get("average"))
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    if "optimizer" in run.saved:
        optimizer.load_state_dict(run.saved["optimizer"])

    def next_loss() -> torch.Tensor:
        # A step's own stream, so that restarts and the other loss see the same pictures under the same noise.
        generator = torch.Generator().manual_seed(run.step)
        pick = torch.randint(len(latents), (options.batch_size,), generator=generator).to(device)
        dropped = torch.rand(options.batch_size, generator=generator).to(device) < options.label_dropout
        times = torch.randint(NUM_TIMESTEPS, (options.batch_size,), generator=generator).to(device)
        noise = torch.randn(options.batch_size, *latents.shape[1:], generator=generator).to(device)
        labels = torch.where(dropped, NULL_CLASS, labels_of[pick])
        return loss(network, latents[pick], labels, times, noise)

    def state() -> dict[str, Any]:
        weights = {"network": network.state_dict(), "average": average.weights, "of": asked}
        return {**weights, "optimizer": optimizer.state_dict()}

    learn(run, optimizer, next_loss, average, state)
    run.save(state())
    save_weights(average.weights, options.out / f"long_tail_{options.loss}.safetensors")
    print(f"{run.step} steps in {run.seconds:.0f} s; weights in {options.out}", flush=True)


def main(given: list[str] | None = None) -> int:
    try:
        train(arguments(given))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
