"""Discriminators of one-dimensional states that are linear in their weights: trained to the end, by any loss, at once.

    log d/(1−d)(x, λ) = Σ_{jm} θ_jm a_j(x) h_m(λ),   a = x, x²/2, sin(ωx)/ω, cos(ωx)/ω,   h: hats over the log-SNR λ

Cross-entropy is convex in θ and the refined score loss is quadratic, so that what is seen is the loss and the number of
samples, and not how long or from where a network was trained. Every sample is noised many times, and each loss takes
the ridge that does best by itself on held-out samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.models.discriminator import Discriminator
from dsg.models.mixture import GaussianMixture
from dsg.types import PerSample, State

Loss = Literal["cross-entropy", "refined", "both"]
FREQUENCIES = torch.arange(1, 9, dtype=torch.float64) * 0.75
HATS = torch.linspace(-8.0, 8.0, 9, dtype=torch.float64)  # of λ; beyond their ends they stay
RIDGES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


class LinearLogit(Discriminator):
    """The discriminator of weights θ, (features,)."""

    shape = (1,)

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights_of_features = weights

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        log_snr = x_t.new_full((len(x_t),), level.log_snr, dtype=torch.float64)
        return features(x_t[:, 0].double(), log_snr) @ self.weights_of_features


def features(x: Tensor, log_snr: Tensor, slopes: bool = False) -> Tensor:
    """f(x, λ), (n, features); with `slopes` ∂f/∂x. x and log_snr are (n,) float64."""
    turns = x[:, None] * FREQUENCIES
    if slopes:
        ours = [torch.ones_like(x)[:, None], x[:, None], turns.cos(), -turns.sin()]
    else:
        ours = [x[:, None], x[:, None] ** 2 / 2, turns.sin() / FREQUENCIES, turns.cos() / FREQUENCIES]
    width = HATS[1] - HATS[0]
    hats = (1 - (log_snr.clamp(HATS[0], HATS[-1])[:, None] - HATS).abs() / width).clamp_min(0)
    return torch.einsum("nj,nm->njm", torch.cat(ours, 1), hats).flatten(1)


@dataclass
class Noised:
    """Samples at random levels: x_t, the noise that is in it, and λ; (n,) each."""

    x_t: Tensor
    noise: Tensor
    log_snr: Tensor

    @property
    def noise_share(self) -> Tensor:
        """√(1−ā)."""
        return torch.sigmoid(-self.log_snr).sqrt()

    @classmethod
    def of(cls, samples: Tensor, rows: int, generator: torch.Generator) -> Noised:
        """About `rows` of them, as many of each of the samples, (n,), half with the noise of the others mirrored."""
        clean = samples.repeat_interleave(max(1, rows // (2 * len(samples))))
        noise = torch.randn(len(clean), generator=generator, dtype=torch.float64)
        low, high = HATS[0], HATS[-1]
        log_snr = low + (high - low) * torch.rand(len(clean), generator=generator, dtype=torch.float64)
        clean, log_snr, noise = clean.repeat(2), log_snr.repeat(2), torch.cat([noise, -noise])
        signal, share = torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()
        return cls(signal * clean + share * noise, noise, log_snr)


@dataclass
class Problem:
    """What is minimised over θ, on noised samples of the data and of the model:

        cross-entropy   ½ E_data log(1 + e^{−d}) + ½ E_model log(1 + e^d)
        refined         E_data (1−ā) ‖∇log p(x_t | x_0) − s_θ − ∇d‖²/2, so ‖ε_θ − ε − √(1−ā) ∇d‖²/2 (2503.16117)
        both            their sum

    Args:
        real, false: of the data and of the model.
        epsilon: ε_θ of those of the data, (n,), for the refined loss.
        loss: which of them.
    """

    real: Noised
    false: Noised
    epsilon: Tensor
    loss: Loss

    def __post_init__(self) -> None:
        self.logits = [features(part.x_t, part.log_snr) for part in (self.real, self.false)]
        self.slopes = self.real.noise_share[:, None] * features(self.real.x_t, self.real.log_snr, slopes=True)
        self.wanted = self.epsilon - self.real.noise

    def value(self, theta: Tensor) -> float:
        """The loss."""
        real, false = (part @ theta for part in self.logits)
        classified = 0.5 * (softplus(-real).mean() + softplus(false).mean())
        matched = 0.5 * (self.slopes @ theta - self.wanted).square().mean()
        return float(classified * (self.loss != "refined") + matched * (self.loss != "cross-entropy"))

    def best(self, ridge: float, start: Tensor | None = None) -> Tensor:
        """θ of the least loss + ridge ‖θ‖²/2, (features,), by Newton's method from `start`."""
        curvature = ridge * torch.eye(self.slopes.shape[1], dtype=torch.float64)
        pull = curvature.new_zeros(len(curvature))
        theta = torch.zeros_like(pull) if start is None else start
        if self.loss != "cross-entropy":
            curvature = curvature + self.slopes.T @ self.slopes / len(self.slopes)
            pull = self.slopes.T @ self.wanted / len(self.slopes)
        if self.loss == "refined":
            return torch.linalg.solve(curvature, pull)
        for _ in range(30):
            slope, bend = curvature @ theta - pull, curvature
            for inputs, answer in zip(self.logits, (1.0, 0.0), strict=True):
                chance = torch.sigmoid(inputs @ theta)
                slope = slope + 0.5 * inputs.T @ (chance - answer) / len(inputs)
                bend = bend + 0.5 * (inputs * (chance * (1 - chance))[:, None]).T @ inputs / len(inputs)
            change = torch.linalg.solve(bend, slope)
            theta = theta - change
            if change.abs().max() < 1e-6:
                break
        return theta


def train(data: Tensor, made: Tensor, score: GaussianMixture, loss: Loss, rows: int, seed: int) -> Tensor:
    """θ by the ridge that is best on a fifth of the samples which were held out, (features,).

    Args:
        data, made: samples of the data and of the model, (n,) each.
        score: the model, one Gaussian.
        rows: noised samples of each sort.
        seed: of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    cut = len(data) // 5
    problems = []
    for part, share in ((slice(cut, None), 1), (slice(0, cut), 4)):
        real, false = (Noised.of(samples[part], rows // share, generator) for samples in (data, made))
        problems.append(Problem(real, false, _epsilon(score, real), loss))
    fitted, held_out = problems
    found: list[Tensor] = []
    for ridge in RIDGES:  # each begins where the stronger one ended
        found.append(fitted.best(ridge, found[-1] if found else None))
    return min(found, key=held_out.value)


def _epsilon(score: GaussianMixture, states: Noised) -> Tensor:
    """ε_θ of states that are each at a level of their own, (n,)."""
    mean, variance = score.means.item(), score.covariances.item()
    alpha_bar = torch.sigmoid(states.log_snr)
    return states.noise_share * (states.x_t - alpha_bar.sqrt() * mean) / (alpha_bar * variance + 1 - alpha_bar)


def errors(theta: Tensor, mean: float, points: int = 801) -> tuple[float, float]:
    """How much above the best its cross-entropy is, and E_data (1−ā) |∇d − ∇d*|², over the levels; data N(0, 1).

    By quadrature, against the model N(m, 1), whose best logit is ā m²/2 − √ā m x.
    """
    x = torch.linspace(-7.0, 7.0, points, dtype=torch.float64)
    dx, found = 14.0 / (points - 1), []
    for log_snr in torch.linspace(float(HATS[0]), float(HATS[-1]), 25, dtype=torch.float64).tolist():
        alpha_bar = 1 / (1 + math.exp(-log_snr))
        centre, at = math.sqrt(alpha_bar) * mean, torch.full_like(x, log_snr)
        p, q = (torch.exp(-0.5 * (x - c) ** 2) / math.sqrt(2 * math.pi) for c in (0.0, centre))
        best, logit = centre**2 / 2 - centre * x, features(x, at) @ theta
        excess = p * (softplus(-logit) - softplus(-best)) + q * (softplus(logit) - softplus(best))
        wrong = features(x, at, slopes=True) @ theta + centre
        found.append((0.5 * excess.sum().item() * dx, (1 - alpha_bar) * (p * wrong**2).sum().item() * dx))
    means = torch.tensor(found, dtype=torch.float64).mean(0).tolist()
    return means[0], means[1]
