"""Train the autoencoder of the latent world: portraits (3,64,64) ↔ latents (4,16,16).

    python -m torch.distributed.run --nproc_per_node 2 -m benchmarks.portraits.train_autoencoder \\
        --out runs/autoencoder --time_limit 2200

Loss: mean squared error of D(z), z ~ E(x), and a small share of the divergence KL(E(x) ‖ N(0, 1)) (Rombach et al. 2022,
2112.10752, appendix G). Started again with the same folder, it goes on. The last act is to write `vae/` there, as
diffusers reads it, whose latents are of unit scale.

With --decoder_of VAE its decoder alone goes on learning: the encoder stays, and latents made with it stay true.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from dsg.data.portraits import HELD_OUT_START

from .cache import cached_pictures
from .latent_networks import build_autoencoder
from .latents import as_images, encode, to_unit_scale
from .learning import Told, learn, mixed
from .pictures import render_bytes
from .replicas import Replicas
from .timed import Average, Timed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt, the log and vae/")
    parser.add_argument("--pictures", type=Path, default=Path("runs/pictures"), help="folder of rendered pictures")
    parser.add_argument("--count", type=int, default=90_000, help="training pictures")
    parser.add_argument("--time_limit", type=float, default=2200.0, help="seconds of training, all starts together")
    parser.add_argument("--batch_size", type=int, default=16, help="of all processes together")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--kl", type=float, default=2e-5, help="share of the divergence, as a mean over the latent")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights")
    parser.add_argument("--decoder_of", type=Path, help="folder of an autoencoder whose encoder stays as it is")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def losses(network, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error of the reconstruction, and mean divergence of the posterior, of images (B,3,64,64)."""
    with mixed(images.device):
        posterior = network.encode(images).latent_dist
        decoded = network.decode(posterior.sample()).sample
    return (decoded.float() - images).square().mean(), posterior.kl().mean() / posterior.mean[0].numel()


@torch.no_grad()
def psnr(network, images: Tensor) -> float:
    """Mean over images (B,3,64,64) of the PSNR of decode(mode of encode), in dB on [−1, 1]."""
    errors = []
    for part in images.split(50):
        decoded = network.decode(network.encode(part).latent_dist.mode()).sample.clamp(-1, 1)
        errors.append((decoded - part).square().mean((1, 2, 3)))
    return float((10 * torch.log10(4 / torch.cat(errors))).mean())


def train(options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    replicas = Replicas(device)
    run = Timed(options.out, "autoencoder", options.time_limit, options.lr, replicas)
    pictures = torch.from_numpy(cached_pictures(options.pictures, 0, options.count))
    held_out = as_images(torch.from_numpy(render_bytes(HELD_OUT_START + 600_000, HELD_OUT_START + 600_100)[0]))

    torch.manual_seed(run.step)  # the same first weights in every process
    network: Any = AutoencoderKL.from_pretrained(options.decoder_of) if options.decoder_of else build_autoencoder()
    network.load_state_dict(run.saved.get("network", network.state_dict()))
    # Not channels_last: on CPUs the backward of a group norm is eight times slower there.
    network.to(device)
    if options.decoder_of:
        network.encoder.requires_grad_(False)
        network.quant_conv.requires_grad_(False)
    average = Average(network, options.ema, run.saved.get("average"))
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, options.lr, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
    if "optimizer" in run.saved:
        optimizer.load_state_dict(run.saved["optimizer"])
    generator = torch.Generator().manual_seed(int(replicas.seed(run.step)))
    torch.manual_seed(int(replicas.seed(run.step)) + 1)

    def state() -> dict:
        weights = {"network": network.state_dict(), "average": average.weights}
        return {**weights, "optimizer": optimizer.state_dict()}

    def next_loss() -> Told:
        pick = torch.randint(len(pictures), (options.batch_size // replicas.count,), generator=generator)
        images = as_images(pictures[pick].to(device))
        mirrored = torch.rand(len(images), 1, 1, 1, device=device) < 0.5
        error, divergence = losses(network, torch.where(mirrored, images.flip(-1), images))
        return error + options.kl * divergence, {"mse": error, "kl": divergence}

    learn(run, optimizer, next_loss, average, state)
    run.save(state())
    if replicas.rank == 0:
        network.load_state_dict(average.weights)
        network.eval()
        if not options.decoder_of:
            to_unit_scale(network, encode(network, pictures[:2000].numpy(), device))
        network.save_pretrained(options.out / "vae")
        print(f"PSNR of 100 held-out portraits: {psnr(network, held_out.to(device)):.2f} dB", flush=True)


if __name__ == "__main__":
    train(arguments())
