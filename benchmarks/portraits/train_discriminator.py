"""Train a discriminator of noisy portraits: rendered ones against what the portraits' network made of the same classes.

    python train_free_eval.py predict --config configs/model/portraits.yaml --config configs/task/generation.yaml \
        --config configs/guidance/unguided.yaml --data.labels true --data.first 200000 --data.limit 5000 \
        --run_dir runs/made
    python -m benchmarks.portraits.train_discriminator --made runs/made/samples --out runs/discriminator

The trunk begins as the guide's. Cross-entropy alone (2211.17091), or with a share of the refined score loss
(2503.16117), which asks the score model once a step and differentiates the discriminator twice. A checkpoint is written
every two minutes; started again with the same folder, the training goes on from there. Writes
`discriminator.safetensors` and `log_discriminator.csv`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dsg.data.image_file import SUFFIXES, read_image
from dsg.models.portraits.classifier import PortraitsClassifier
from dsg.models.portraits.discriminator import NoisyTrunk
from dsg.models.portraits.network import ALPHA_BAR, NULL_CLASS, NUM_TIMESTEPS, load_network, save_weights

from .cache import cached_pictures
from .latents import as_images
from .learning import learn
from .replicas import Replicas
from .timed import Timed

TRAINING_START = 950_000  # beyond the twins' pictures, and before the held-out ones
SAVE_EVERY = 120.0


def untrained() -> NoisyTrunk:
    """The discriminator whose trunk is the guide's, and whose logit is 0."""
    network = NoisyTrunk()
    network.body.load_state_dict(PortraitsClassifier("guide").body.state_dict())
    return network


def made_pictures(folder: Path) -> Tensor:
    """The samples of a run folder, (N,3,64,64) in [−1, 1].

    Raises:
        SystemExit: if there are none.
    """
    files = sorted(file for file in folder.glob("*") if file.suffix in SUFFIXES)
    if not files:
        raise SystemExit(f"--made: no pictures in {folder}; name the folder samples/ of a finished run")
    return torch.stack([read_image(file, 64) for file in files])


def noised(images: Tensor, share: Tensor, noise: Tensor) -> Tensor:
    """√ā x_0 + √(1−ā) ε; share is ā, (B,1,1,1)."""
    return share.sqrt() * images + (1 - share).sqrt() * noise


def cross_entropy(network: nn.Module, real: Tensor, false: Tensor, log_snr: Tensor) -> Tensor:
    """½ E_data log(1 + e^{−d}) + ½ E_model log(1 + e^d), of noisy states (B,3,64,64) at the same levels (B,)."""
    logits = network(torch.cat([real, false]), log_snr.repeat(2))
    mine, others = logits.chunk(2)
    return 0.5 * (softplus(-mine).mean() + softplus(others).mean())


def refined(network: nn.Module, x_t: Tensor, log_snr: Tensor, epsilon: Tensor, noise: Tensor) -> Tensor:
    """E (1−ā) ‖∇log p(x_t | x_0) − s_θ − ∇d‖² a number, so ‖ε_θ − ε − √(1−ā) ∇d‖² (2503.16117); differentiable.

    Args:
        network: of the logit.
        x_t: of the data, (B,3,64,64).
        log_snr: (B,).
        epsilon: ε_θ there.
        noise: ε in it.
    """
    x = x_t.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x, log_snr).sum(), x, create_graph=True)
    scale = torch.sigmoid(-log_snr).sqrt()[:, None, None, None]
    return (epsilon - noise - scale * gradient).square().mean()


@torch.no_grad()
def predicted_noise(score: nn.Module, x_t: Tensor, times: Tensor, share: Tensor) -> Tensor:
    """ε_θ = √ā v + √(1−ā) x_t of the unconditional portraits' network."""
    v = score(x_t, times, torch.full_like(times, NULL_CLASS))
    return share.sqrt() * v + (1 - share).sqrt() * x_t


def train(options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    run = Timed(options.out, "discriminator", options.time_limit, options.lr, Replicas(device), steps=options.steps)
    real = torch.from_numpy(cached_pictures(options.pictures, TRAINING_START, options.count))
    made = made_pictures(options.made)
    torch.manual_seed(run.step)
    network = untrained()
    network.load_state_dict(run.saved.get("network", network.state_dict()))
    network.to(device)
    score = load_network().to(device) if options.refined > 0 else None  # pyright: ignore[reportArgumentType]
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, weight_decay=0.02)
    if "optimizer" in run.saved:
        optimizer.load_state_dict(run.saved["optimizer"])
    alpha_bar = ALPHA_BAR.float().to(device)

    def next_loss() -> Tensor:
        times = torch.randint(NUM_TIMESTEPS, (options.batch_size,), device=device)
        share = alpha_bar[times][:, None, None, None]
        log_snr = torch.logit(share.double()).float().flatten()
        batch = []
        for images in (real, made):
            pick = torch.randint(len(images), (options.batch_size,))
            part = as_images(images[pick]) if images is real else images[pick]
            noise = torch.randn_like(part).to(device)
            batch.append((noised(part.to(device), share, noise), noise))
        (x_real, noise), (x_made, _) = batch
        loss = cross_entropy(network, x_real, x_made, log_snr)
        if score is None:
            return loss
        epsilon = predicted_noise(score, x_real, times, share)
        return loss + options.refined * refined(network, x_real, log_snr, epsilon, noise)

    state = lambda: {"network": network.state_dict(), "optimizer": optimizer.state_dict()}  # noqa: E731
    learn(run, optimizer, next_loss, state=state, save_every=SAVE_EVERY, largest_norm=None)
    run.save(state())
    save_weights(network.state_dict(), options.out / "discriminator.safetensors")
    print(f"{run.step} steps in {run.seconds:.0f} s; weights in {options.out / 'discriminator.safetensors'}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--made", type=Path, required=True, help="pictures of the portraits' network, all of one size")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt and of what comes out")
    parser.add_argument(
        "--pictures", type=Path, default=Path("runs/pictures"), help="where rendered portraits are kept"
    )
    parser.add_argument("--count", type=int, default=5000, help="rendered portraits")
    parser.add_argument("--refined", type=float, default=0.0, help="share of the refined score loss, at least 0")
    parser.add_argument("--batch_size", type=int, default=64, help="of each sort")
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--time_limit", type=float, default=1800.0, help="seconds of training, all starts together")
    parser.add_argument("--steps", type=int, default=10**9, help="ends it too, all starts together")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train(parser.parse_args(arguments))


if __name__ == "__main__":
    main()
