"""Train the text-conditional rectified flow of the latent world, with its text encoder.

    python -m torch.distributed.run --nproc_per_node 2 -m benchmarks.portraits.train_flow \\
        --vae runs/autoencoder/vae --out runs/flow --time_limit 4500

x_t = (1−t) x_0 + t ε,  v = ε − x_0,  loss |v_θ(x_t, 1000 t, text) − v|²,  t = sigmoid(N(0, 1))  (Esser et al. 2024,
2403.03206, eq. 12, 13 and 19). An eighth of the captions is empty, for classifier-free guidance. Started again with the
same folder, it goes on. The last act is to write a pipeline folder, `pipeline/`, as diffusers lays it out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPTokenizer

from .cache import cached_pictures
from .latent_networks import build_flow, build_text_encoder
from .latents import cached_captions, cached_latents, token_rows
from .learning import learn, mixed
from .pipeline_folder import write_pipeline
from .replicas import Replicas
from .timed import Average, Timed
from .tokenizer import write_tokenizer

LOG_EVERY = 100


class TextFlow(nn.Module):
    """Both networks that learn, under one name, (x_t (B,4,16,16), 1000 t (B,), tokens (B,L)) → velocity."""

    def __init__(self, tokenizer) -> None:
        super().__init__()
        self.unet = build_flow()
        self.text_encoder = build_text_encoder(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)

    def forward(self, noisy: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        text = self.text_encoder(tokens).last_hidden_state
        return self.unet(noisy, times, text).sample


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint.pt, the log and pipeline/")
    parser.add_argument("--vae", type=Path, required=True, help="folder of the trained autoencoder")
    parser.add_argument("--pictures", type=Path, default=Path("runs/pictures"), help="folder of rendered pictures")
    parser.add_argument("--count", type=int, default=90_000, help="training pictures")
    parser.add_argument("--time_limit", type=float, default=4500.0, help="seconds of training, all starts together")
    parser.add_argument("--batch_size", type=int, default=32, help="of all processes together")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged weights")
    parser.add_argument("--no_caption", type=float, default=0.12, help="share of empty captions")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def times_of(count: int, generator: torch.Generator) -> Tensor:
    """t (N,) in (0, 1), logit-normal and spread evenly over its quantiles, which makes the loss less noisy."""
    quantiles = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return torch.sigmoid(torch.special.ndtri(quantiles.double().clamp(1e-4, 1 - 1e-4)).float())


def flow_loss(network, clean: Tensor, noise: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
    """Mean over batch and latent of |v_θ − (ε − x_0)|², of latents (B,4,16,16), t (B,) and tokens (B,L)."""
    t = times.view(-1, 1, 1, 1)
    with mixed(clean.device):
        velocity = network((1 - t) * clean + t * noise, 1000.0 * times, tokens)
    return (velocity.float() - (noise - clean)).square().mean()


def train(options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    replicas = Replicas(device)
    options.out.mkdir(parents=True, exist_ok=True)
    if replicas.rank == 0:
        write_tokenizer(options.out / "tokenizer")
    replicas.of_the_first(0.0)  # wait for it
    tokenizer = CLIPTokenizer.from_pretrained(str(options.out / "tokenizer"))
    autoencoder: Any = AutoencoderKL.from_pretrained(options.vae)
    autoencoder.eval().to(device)
    # Each process encodes, and learns from, its own share of the pictures.
    share = options.count // replicas.count
    first, mine = share * replicas.rank, f"{replicas.rank}_of_{replicas.count}.pt"
    pictures = cached_pictures(options.pictures, 0, options.count)[first : first + share]
    latents = cached_latents(options.out / f"latents_{mine}", autoencoder, pictures, device).to(device)
    captions = cached_captions(options.out / f"captions_{mine}", tokenizer, first, share)
    empty = token_rows(tokenizer, [""])[0]

    run = Timed(options.out, "flow", options.time_limit, options.lr, replicas)
    torch.manual_seed(run.step)  # the same first weights in every process
    network = TextFlow(tokenizer)
    network.load_state_dict(run.saved.get("network", network.state_dict()))
    network.to(device)
    if device.type == "cpu":  # the backward of fused attention takes twice as long there
        network.unet.set_attn_processor(AttnProcessor())
    average = Average(network, options.ema, run.saved.get("average"))
    optimizer = torch.optim.AdamW(network.parameters(), options.lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    if "optimizer" in run.saved:
        optimizer.load_state_dict(run.saved["optimizer"])
    generator = torch.Generator().manual_seed(int(replicas.seed(run.step)))
    batch = options.batch_size // replicas.count

    def state() -> dict:
        weights = {"network": network.state_dict(), "average": average.weights}
        return {**weights, "optimizer": optimizer.state_dict()}

    def next_loss() -> Tensor:
        pick = torch.randint(len(latents), (batch,), generator=generator)
        silent = torch.rand(batch, 1, generator=generator) < options.no_caption
        tokens = torch.where(silent, empty, captions[pick].long()).to(device)
        clean, times = latents[pick], times_of(batch, generator).to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        return flow_loss(network, clean, noise, times, tokens)

    learn(run, optimizer, next_loss, average, state, log_every=LOG_EVERY)
    run.save(state())
    if replicas.rank == 0:
        network.load_state_dict(average.weights)
        folder = options.out / "pipeline"
        write_pipeline(folder, autoencoder, network.unet, network.text_encoder, options.out / "tokenizer")
        print(f"{run.step} steps; the pipeline is in {folder}", flush=True)


if __name__ == "__main__":
    train(arguments())
