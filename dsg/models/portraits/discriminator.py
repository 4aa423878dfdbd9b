"""A discriminator of noisy portraits: the guide's trunk, that is told the noise level."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.checkpoint import load_exactly
from dsg.models.discriminator import Discriminator
from dsg.models.portraits.classifier import FEATURES, build_parts
from dsg.models.portraits.twin import SHAPE
from dsg.types import Image, PerSample, State

WAVES, WIDTH = 8, 32  # frequencies of the log-SNR, and numbers that tell it
SPAN = 24.0  # of the log-SNR: the longest wave


class NoisyTrunk(nn.Module):
    """x_t (B,3,64,64) and log-SNR (B,) → logits (B,). 481 k parameters.

    The guide's convolutions, with its normalised features scaled and shifted by the noise level. Until that is trained
    it does nothing, so that the trunk begins as the guide's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body, _ = build_parts("guide")
        widths = [layer.num_channels for layer in self.body if isinstance(layer, nn.GroupNorm)]
        self.told = nn.Sequential(nn.Linear(2 * WAVES, WIDTH), nn.SiLU())
        self.modulations = nn.ModuleList(nn.Linear(WIDTH, 2 * width) for width in widths)
        self.head = nn.Linear(FEATURES, 1)
        for layer in (*self.modulations, self.head):
            nn.init.zeros_(layer.weight)  # pyright: ignore[reportArgumentType]
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x_t: Image, log_snr: Tensor) -> PerSample:
        turns = log_snr[:, None] * (2 * math.pi / SPAN) * torch.arange(1, WAVES + 1, device=log_snr.device)
        told = self.told(torch.cat([turns.sin(), turns.cos()], dim=1).to(x_t.dtype))
        modulations = iter(self.modulations)
        for layer in self.body:
            x_t = layer(x_t)
            if isinstance(layer, nn.GroupNorm):
                scale, shift = next(modulations)(told)[:, :, None, None].chunk(2, dim=1)
                x_t = x_t * (1 + scale) + shift
        return self.head(x_t)[:, 0]


class PortraitsDiscriminator(Discriminator):
    """log d/(1−d) of noisy portraits (B,3,64,64), as `benchmarks.portraits.train_discriminator` trains it.

    It tells portraits from what one score model makes of them; for another model another has to be trained.

    Args:
        checkpoint: weights (.safetensors); none come with the library.

    Raises:
        UserError: for missing weights, or weights of another network.
    """

    shape = SHAPE

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        self.schedule = NoiseSchedule("linear", 1000, 1e-4, 2e-2)
        self.network = NoisyTrunk()
        self.weight_files = load_exactly(self.network, checkpoint)
        self.eval().requires_grad_(False)

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        weight = self.network.head.weight
        log_snr = torch.full((len(x_t),), level.log_snr, device=x_t.device, dtype=torch.float32)
        return self.network(x_t.to(weight.dtype), log_snr).float()
