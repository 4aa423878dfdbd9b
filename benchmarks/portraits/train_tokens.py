"""Train the portraits' token model: a U-Net that guesses masked codes of the latent world, told a class.

    python -m benchmarks.portraits.train_tokens --out runs/tokens --time_limit 4000

A share t of the tokens is masked, t uniform in (0, 1), and the loss is

    E[ −(1/t) Σ_{i masked} log p(x_i | x_t, c) ] / L      (Sahoo et al. 2024, 2406.07524, eq. 10, with α_t = 1 − t)

in nats a token, an upper bound on how many a code needs. A tenth of the labels is dropped, for classifier-free
guidance. Started again with the same folder, it goes on; by `torch.distributed.run`, on several cores or GPUs. The
last act is to write `tokens.safetensors` there.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dsg.data.portraits import HELD_OUT_START
from dsg.models.portraits.network import save_weights
from dsg.models.portraits.token_network import CODES, LENGTH, NULL_CLASS, CodedNetwork, TokenNetwork

from .cache import cached_pictures
from .codes import cached_codes, cached_tokens, labels_of
from .learning import learn, mixed
from .pictures import render_bytes
from .replicas import Replicas
from .timed import Average, Timed

HELD_OUT, UNSEEN_START = 500, HELD_OUT_START + 700_000  # portraits of which the last line tells the loss
VAE = Path("dsg/models/portraits/latent/vae")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt, the log and the weights")
    parser.add_argument("--pictures", type=Path, default=Path("runs/pictures"), help="folder of rendered pictures")
    parser.add_argument("--count", type=int, default=20_000, help="training pictures")
    parser.add_argument("--time_limit", type=float, default=4000.0, help="seconds of training, all starts together")
    parser.add_argument("--batch_size", type=int, default=32, help="of all processes together")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--no_label", type=float, default=0.1, help="share of dropped labels")
    parser.add_argument("--prepare", action="store_true", help="make codes and tokens, and train nothing")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def shares_of(count: int, generator: torch.Generator) -> Tensor:
    """t (N,) in (0, 1], spread evenly, which makes the loss less noisy; at least one token in L is masked."""
    even = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return even.clamp_min(1.0 / LENGTH)[torch.randperm(count, generator=generator)]


def hidden(tokens: Tensor, shares: Tensor, generator: torch.Generator) -> Tensor:
    """Which tokens (N,L) are masked: so many of each row that t L is their mean, and one at least."""
    wanted = (shares[:, None] * LENGTH + torch.rand(len(tokens), 1, generator=generator)).floor().clamp(1, LENGTH)
    return torch.rand(tokens.shape, generator=generator).argsort(1).argsort(1) < wanted


def masked_loss(network: nn.Module, tokens: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """The mean over masked tokens of −log p(x_i | x_t, c), averaged over the rows, of tokens (N,L), labels (N,) in
    0..NULL_CLASS and mask (N,L): with the number of masked tokens in place of t L, the loss above."""
    with mixed(tokens.device):
        logits = network(torch.where(mask, CODES, tokens), labels)
    losses = cross_entropy(logits.float().transpose(1, 2), tokens, reduction="none")
    return ((losses * mask).sum(1) / mask.sum(1)).mean()


@torch.no_grad()
def place_codes(network: TokenNetwork, codes: Tensor) -> None:
    """Begin with embeddings, and rows of the last layer, that are near where the codes (V,4) are: of 256 tokens some
    are nearly alike, which would take the training thousands of steps to find.
    """
    placed = codes / codes.std()
    for weight, std in ((network.token.weight[: len(codes)], 0.5), (network.head.weight, 0.05)):
        weight.normal_(std=std / 5).add_(placed @ (std * torch.randn(codes.shape[1], weight.shape[1])))


def held_out_loss(network: nn.Module, tokens: Tensor, labels: Tensor) -> float:
    """`masked_loss` of portraits that no training saw, always masked alike."""
    generator, parts = torch.Generator().manual_seed(0), []
    with torch.no_grad():
        for part, told in zip(tokens.split(50), labels.split(50), strict=True):
            mask = hidden(part, shares_of(len(part), generator), generator)
            parts.append(masked_loss(network, part, told, mask.to(part.device)).item())
    return sum(parts) / len(parts)


def files(options: argparse.Namespace) -> tuple[Path, Path, Path]:
    """Where the codes are, the tokens of the training portraits, and those of held-out ones."""
    return tuple(options.out / name for name in ("codes.pt", f"tokens_{options.count}.pt", "tokens_held_out.pt"))  # pyright: ignore


def prepare(options: argparse.Namespace, device: torch.device) -> None:
    """Make those of the files that are not there."""
    codes_file, trained, unseen = files(options)
    if codes_file.exists() and trained.exists() and unseen.exists():
        return
    autoencoder: Any = AutoencoderKL.from_pretrained(VAE, low_cpu_mem_usage=False)
    autoencoder.eval().to(device)
    pictures = cached_pictures(options.pictures, 0, options.count)
    codes = cached_codes(codes_file, autoencoder, pictures, device)
    cached_tokens(trained, autoencoder, codes, pictures, device)
    held_out = render_bytes(UNSEEN_START, UNSEEN_START + HELD_OUT)[0]
    cached_tokens(unseen, autoencoder, codes, held_out, device)


def train(options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    replicas = Replicas(device)
    options.out.mkdir(parents=True, exist_ok=True)
    if replicas.rank == 0:
        prepare(options, device)
    replicas.of_the_first(0.0)  # wait for it
    if options.prepare:
        return
    codes, tokens, unseen = (torch.load(file, weights_only=True).to(device) for file in files(options))
    labels, told = (labels_of(first, len(of)).to(device) for first, of in ((0, tokens), (UNSEEN_START, unseen)))

    run = Timed(options.out, "tokens", options.time_limit, options.lr, replicas)
    torch.manual_seed(run.step)  # the same first weights in every process
    network = TokenNetwork()
    place_codes(network, codes.cpu())
    network.load_state_dict(run.saved.get("network", network.state_dict()))
    network.to(device)
    average = Average(network, options.ema, run.saved.get("average"))
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, betas=(0.9, 0.98), weight_decay=0.03, fused=True)
    if "optimizer" in run.saved:
        optimizer.load_state_dict(run.saved["optimizer"])
    generator = torch.Generator().manual_seed(int(replicas.seed(run.step)))
    batch = options.batch_size // replicas.count

    def state() -> dict:
        weights = {"network": network.state_dict(), "average": average.weights}
        return {**weights, "optimizer": optimizer.state_dict()}

    def next_loss() -> torch.Tensor:
        pick = torch.randint(len(tokens), (batch,), generator=generator)
        silent = (torch.rand(batch, generator=generator) < options.no_label).to(device)
        mask = hidden(tokens[pick], shares_of(batch, generator), generator).to(device)
        clean, of_class = tokens[pick].long(), torch.where(silent, NULL_CLASS, labels[pick])
        return masked_loss(network, clean, of_class, mask)

    learn(run, optimizer, next_loss, average, state)
    run.save(state())
    if replicas.rank == 0:
        network.load_state_dict(average.weights)
        save_weights(CodedNetwork(network, codes).state_dict(), options.out / "tokens.safetensors")
        loss = held_out_loss(network.eval(), unseen.long(), told)
        print(f"{run.step} steps; {loss:.4f} nats a token of {HELD_OUT} held-out portraits", flush=True)


if __name__ == "__main__":
    train(arguments())
