"""Classifiers of clean portraits: one that a sampler may follow, and one that only ever judges."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from torch import Tensor, nn

from dsg.data.portraits import CLASSES
from dsg.models.checkpoint import load_exactly
from dsg.models.portraits.twin import Role, check_images, check_role
from dsg.models.weights import TellsWeights
from dsg.types import Image

FEATURES = 64


class PortraitsClassifier(TellsWeights, nn.Module):
    """log p(class | x) of a portrait up to a constant, images (B,3,64,64) in [−1, 1] → logits (B,8).

    `guide` and `judge` share neither architecture, nor seed, nor training pictures, so that a sample that merely fools
    the one need not please the other. Both are calibrated on pictures that no training saw (Guo et al. 2017).

    Args:
        role: `guide` may steer a sampler; `judge` is for measuring alone.
        checkpoint: weights (.safetensors) of the same role; null are those that come with the library.

    Raises:
        UserError: for another role, missing weights, or weights of another network.
    """

    num_classes = len(CLASSES)
    style_layer = "body.5"  # of both roles an early one, at half the size

    def __init__(self, role: Role = "guide", checkpoint: str | None = None) -> None:
        super().__init__()
        self.body, self.head = build_parts(role)
        self.weight_files = load_exactly(self, weights(role) if checkpoint is None else checkpoint)
        self.eval().requires_grad_(False)

    def features(self, images: Image) -> Tensor:
        """What the last layer sees, (B,64): at least −0.28 (SiLU) for the guide and 0 (ReLU) for the judge.

        Raises:
            UserError: if the images are not (B,3,64,64).
        """
        check_images(self, images)
        return self.body(images)

    def forward(self, images: Image) -> Tensor:
        return self.head(self.features(images))


def weights(role: Role) -> Path:
    """Where the shipped weights of a role are."""
    return Path(__file__).with_name(f"classifier_{role}.safetensors")


def build_parts(role: Role) -> tuple[nn.Sequential, nn.Linear]:
    """The untrained body (images → features) and head (features → logits).

    Raises:
        UserError: for another role.
    """
    check_role(role)
    body = _strided() if role == "guide" else _pooled()
    return body, nn.Linear(FEATURES, len(CLASSES))


def _strided() -> nn.Sequential:
    """Smooth throughout and with no batch statistics, so that its gradient is one to follow. 447 400 parameters."""
    layers: list[nn.Module] = []
    for (before, after), stride in zip(pairwise((3, 32, 32, 64, 64, 96, 96, 128)), (2, 1, 2, 1, 2, 1, 2), strict=True):
        layers += [nn.Conv2d(before, after, 3, stride, 1), nn.GroupNorm(8, after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, FEATURES), nn.SiLU())


def _pooled() -> nn.Sequential:
    """Batch-normalised, with maxima and a mean over places. 272 648 parameters."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    for before, after, pool in ((32, 48, True), (48, 64, True), (64, 96, False), (96, 96, True), (96, 96, False)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, FEATURES), nn.ReLU())
