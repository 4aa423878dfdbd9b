"""Train the portrait score model on freshly rendered pictures.

    python -m benchmarks.portraits.train --out runs/portraits --time_limit 900

The learning rate falls as the time runs out, so the training ends by itself with finished weights. Started again with
the same folder, it goes on from `checkpoint.pt` with the next pictures of the world.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch

from dsg.models.portraits.network import NULL_CLASS, NUM_TIMESTEPS, SCHEDULE, build_network, save_weights

from .learning import Batches, learn
from .losses import Denoising
from .pictures import Pictures
from .replicas import Replicas
from .timed import Average, Timed

OTHERS_START = 400_000  # from here on other trainings, judges and evaluations have their portraits


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of checkpoint.pt, weights.safetensors and log_portraits.csv"
    )
    parser.add_argument("--time_limit", type=float, default=900.0, help="seconds of training, all starts together")
    parser.add_argument(
        "--stop_after", type=float, default=math.inf, help="end this start after so many seconds in all, to go on later"
    )
    parser.add_argument("--steps", type=int, default=10**9, help="end after so many steps, all starts together")
    parser.add_argument("--pictures", type=int, default=200_000, help="training pictures rendered at each start")
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--warm_up", type=int, default=300, help="steps of rising learning rate after each start")
    parser.add_argument("--ema", type=float, default=0.9995, help="decay of the averaged weights")
    parser.add_argument("--label_dropout", type=float, default=0.12)
    parser.add_argument("--compile", action="store_true", help="torch.compile; falls back to eager when it fails")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def compiled(network, batch_size, device):
    """The network compiled and tried once; itself when compiling fails."""
    try:
        fast = torch.compile(network)
        x = torch.zeros(batch_size, 3, 64, 64, device=device).to(memory_format=torch.channels_last)
        # Two tensors, not one twice: the compiled code would be bound to their being the same.
        labels, times = (torch.zeros(batch_size, dtype=torch.long, device=device) for _ in range(2))
        Denoising(SCHEDULE)(fast, x, labels, times, torch.randn_like(x)).backward()
        network.zero_grad(set_to_none=True)
        return fast
    except Exception as error:  # no failure of a mere speed-up may end the training
        print(f"compiling failed, going on without: {error!r}"[:500])
        return network


def train(options: argparse.Namespace) -> None:
    started, device = time.monotonic(), torch.device(options.device)
    run = Timed(
        options.out, "portraits", options.time_limit, options.lr, Replicas(device), options.warm_up, options.steps
    )
    first = run.saved.get("next_picture", 0)
    if first + options.pictures > OTHERS_START:
        raise SystemExit(
            f"--pictures: {first + options.pictures} portraits in all would reach those that judges learn from, from "
            f"{OTHERS_START} on; take fewer a start"
        )
    pictures = Pictures(first, options.pictures)

    torch.manual_seed(run.step)
    network = build_network()
    network.load_state_dict(run.saved.get("network", network.state_dict()))
    network.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    network.train()
    average = Average(network, options.ema, run.saved.get("average"))
    torch.backends.cudnn.benchmark = True
    forward = compiled(network, options.batch_size, device) if options.compile else network
    # The moments of the optimizer are not kept: a short warm-up finds them again, and the checkpoint stays small.
    optimizer = torch.optim.AdamW(
        network.parameters(), options.lr, betas=(0.9, 0.99), weight_decay=0.01, fused=device.type == "cuda"
    )
    denoising = Denoising(SCHEDULE)
    batches = Batches(*pictures.collect(), options.batch_size, device)
    print(f"{time.monotonic() - started:.0f} s to render {options.pictures} pictures and get ready", flush=True)

    def loss() -> torch.Tensor:
        images, labels = batches.next()
        labels = torch.where(torch.rand(len(labels), device=device) < options.label_dropout, NULL_CLASS, labels)
        times = torch.randint(NUM_TIMESTEPS, (len(labels),), device=device)
        images = images.to(memory_format=torch.channels_last)
        return denoising(forward, images, labels, times, torch.randn_like(images))

    in_time = lambda: time.monotonic() - started < options.stop_after  # noqa: E731
    learn(run, optimizer, loss, average, going=in_time)

    weights = {"network": network.state_dict(), "average": average.weights}
    run.save({**weights, "next_picture": first + options.pictures})
    save_weights(average.weights, options.out / "weights.safetensors")
    print(f"{run.step} steps in {run.seconds:.0f} s; weights in {options.out / 'weights.safetensors'}")


if __name__ == "__main__":
    train(arguments())
