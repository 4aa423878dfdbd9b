"""Small score models for tests: named in configurations as `tests.toy.Toy`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State


class Toy(ScoreModel):
    """A smooth non-linear network with fixed weights that couples pixels, not images.

    Args:
        size: side of its images in pixels.
        learns_variance: also return a variance range.
        nan_below: answer NaN for images whose mean is below this.
    """

    def __init__(self, size: int = 16, learns_variance: bool = False, nan_below: float = -1e9) -> None:
        super().__init__()
        self.schedule = NoiseSchedule()
        self.shape, self.clean_range = (3, size, size), (-1.0, 1.0)
        self.learns_variance = learns_variance
        self.nan_below = nan_below
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.second = nn.Conv2d(8, 6, 3, padding=1, bias=False)
        for layer in (self.first, self.second):
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / layer.weight[0].numel() ** 0.5
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        hidden = torch.tanh(self.first(x_t.to(self.first.weight.dtype)))
        noise, variance_range = self.second(hidden).float().chunk(2, dim=1)
        # the exact ε of standard normal data, and a little that makes the Jacobian interesting
        epsilon = level.noise * x_t + 0.1 * noise
        broken = x_t.flatten(1).mean(dim=1) < self.nan_below
        epsilon = torch.where(broken.reshape(-1, 1, 1, 1), torch.nan, epsilon)
        variance_range = torch.tanh(variance_range) if self.learns_variance else None
        return Prediction.from_epsilon(epsilon, x_t, level, variance_range)


class ToyClassifier(nn.Module):
    """Fixed weights over a coarse copy of the image: (B,3,H,W) of any size from 4 pixels on → logits (B,classes)."""

    def __init__(self, classes: int = 4, answer: float = 0.0) -> None:
        super().__init__()
        self.layer = nn.Linear(48, classes)
        self.layer.weight.data = torch.randn(classes, 48, generator=torch.Generator().manual_seed(0))
        self.layer.bias.data.fill_(answer)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(nn.functional.adaptive_avg_pool2d(images, 4).flatten(1))


class ToyFeatures(nn.Module):
    """Fixed weights with a bounded answer at every other pixel: (B,3,H,W) → (B,4,⌈H/2⌉,⌈W/2⌉) in (−1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.layer.weight.data = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)) / 27**0.5
        self.layer.bias.data.zero_()

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.layer(images))


class ToyImageText(ToyClassifier):
    """Pictures as the classifier sees them, and of a text how often each of its first letters a, b, ... is in it."""

    def __init__(self, features: int = 4) -> None:
        super().__init__(features)
        self.features = features

    def text_features(self, texts: list[str]) -> Tensor:
        if long := next((text for text in texts if len(text) > 40), None):
            raise UserError(f"ToyImageText: takes 40 letters, got {len(long)}; shorten the text")
        return torch.tensor([[float(text.count(chr(97 + i))) for i in range(self.features)] for text in texts])


class Fading(nn.Module):
    """A network for states of any shape, as dsg.models.network.NetworkModel takes one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.9))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.scale * x
