"""Whether a picture shows what a caption names: a classifier of the facts that captions speak of; it only judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from dsg.data.portraits.facts import VALUES
from dsg.models.checkpoint import load_exactly
from dsg.models.portraits.twin import check_images
from dsg.models.weights import TellsWeights
from dsg.types import Image

WEIGHTS = Path(__file__).with_name("attribute_judge.safetensors")
# `age` is told in one word alone, `old`: its other value is that there is none.
CHOICES: dict[str, tuple[str, ...]] = {**VALUES, "age": ("old", "not old")}
FEATURES = 96


class AttributeJudge(TellsWeights, nn.Module):
    """log p(value | x) of each nameable fact of a portrait, images (B,3,64,64) in [−1, 1] → fact → logits (B,values).

    Each fact is calibrated on pictures that no training saw (Guo et al. 2017). What is asked of a picture in which the
    fact is not clear (the shape of the glasses of a bare face) has no meaning.

    Args:
        checkpoint: weights (.safetensors) of the same network; null are those that come with the library.

    Raises:
        UserError: for missing weights, or weights of another network.
    """

    def __init__(self, checkpoint: str | None = None) -> None:
        super().__init__()
        self.body, self.heads = build_parts()
        self.weight_files = load_exactly(self, WEIGHTS if checkpoint is None else checkpoint)
        self.eval().requires_grad_(False)

    def forward(self, images: Image) -> dict[str, Tensor]:
        check_images(self, images)
        return answers(self.body, self.heads, images)

    def probabilities(self, images: Image, named: Sequence[Mapping[str, str]]) -> list[dict[str, float]]:
        """How likely each picture shows each fact that its caption names, in [0, 1].

        Args:
            images: (B,3,64,64) in [−1, 1].
            named: B mappings fact → value, as `captions.named_in` reads them from a text.
        """
        chances = {name: logits.softmax(1) for name, logits in self(images).items()}
        return [
            {name: float(chances[name][row, CHOICES[name].index(value)]) for name, value in told.items()}
            for row, told in enumerate(named)
        ]

    def agrees(self, images: Image, named: Sequence[Mapping[str, str]]) -> list[dict[str, bool]]:
        """Whether the named value of each fact is the likeliest one. Arguments as of `probabilities`."""
        likeliest = {name: logits.argmax(1) for name, logits in self(images).items()}
        return [
            {name: CHOICES[name][int(likeliest[name][row])] == value for name, value in told.items()}
            for row, told in enumerate(named)
        ]


def build_parts() -> tuple[nn.Sequential, nn.ModuleDict]:
    """The untrained body (images → 96 features) and the heads (features → logits of each fact)."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    for (before, after), pool in zip(pairwise((32, 48, 64, 80, 80)), (True, True, False, True), strict=True):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
    # Where a colour is seen says whose it is, so that places are not averaged.
    layers += [nn.Flatten(), nn.Linear(80 * 4 * 4, FEATURES), nn.ReLU()]
    heads = {name: nn.Linear(FEATURES, len(values)) for name, values in CHOICES.items()}
    return nn.Sequential(*layers), nn.ModuleDict(heads)


def answers(body: nn.Module, heads: nn.ModuleDict, images: Tensor) -> dict[str, Tensor]:
    """Logits by fact."""
    features = body(images)
    return {name: head(features) for name, head in heads.items()}


def indices(told: Sequence[Mapping[str, str]]) -> dict[str, Tensor]:
    """Facts as numbers: by name (N,) int64, the index into CHOICES, or −1 where the fact is not clear."""
    return {
        name: torch.tensor([values.index(facts[name]) if name in facts else -1 for facts in told])
        for name, values in CHOICES.items()
    }
