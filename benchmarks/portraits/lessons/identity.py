"""Who it is, whatever else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize

from benchmarks.portraits.learning import mixed
from benchmarks.portraits.lessons.base import Lesson, answers
from benchmarks.portraits.truths import Truths
from dsg.data.portraits import IDENTITY
from dsg.data.portraits.attributes import draw_traits, encode
from dsg.models.portraits.identity import DIMENSION, PortraitsIdentity
from dsg.models.portraits.twin import Role

TEMPERATURE = 0.1


class IdentityLesson(Lesson):
    """Two pictures of each of 64 people: each is to find its partner among the others. The traits are told as well.

    −log exp(⟨a_i, b_i⟩/τ) / Σ_j exp(⟨a_i, b_j⟩/τ), both ways, and the mean square error of traits that a linear layer
    reads from the embedding, by their deviation; the layer is dropped afterwards.
    """

    twin = PortraitsIdentity
    batch = 64

    def __init__(self, role: Role, truths: Truths) -> None:
        super().__init__(role, truths)
        people = range(truths.first, truths.first + len(truths) // truths.variations)
        traits = torch.from_numpy(np.stack([encode(draw_traits(index))[: len(IDENTITY)] for index in people]))
        self.traits = (traits - traits.mean(0)) / traits.std(0).clamp(min=0.05)  # a rare hat is no large trait
        self.tells = nn.Linear(DIMENSION, len(IDENTITY))

    def loss(self, generator: torch.Generator) -> Tensor:
        people = torch.randperm(len(self.traits), generator=generator)[: self.batch]
        both = torch.rand(len(people), self.truths.variations, generator=generator).argsort(1)[:, :2]
        rows = (people[:, None] * self.truths.variations + both).mT.flatten().numpy()
        with mixed(torch.device("cpu")):
            raw = self.network.raw(self.seen(rows, generator)).float()
        first, second = normalize(raw, dim=1).chunk(2)
        alike, own = first @ second.mT / TEMPERATURE, torch.arange(len(people))
        traits = mse_loss(self.tells(raw), self.traits[people].repeat(2, 1))
        return 0.5 * (cross_entropy(alike, own) + cross_entropy(alike.mT, own)) + traits

    @staticmethod
    def quality(network: Any, truths: Truths) -> dict[str, Any]:
        """Verification of pairs, same person and not, and how often the nearest of all other people is the person."""
        embedding = answers(network, truths).unflatten(0, (-1, truths.variations))
        alike = embedding[:, 0] @ embedding[:, 1].mT
        same, others = alike.diagonal(), alike[~torch.eye(len(alike), dtype=torch.bool)]
        area, error = verification(same, others)
        return {
            "verification_auc": round(area, 5),
            "equal_error_rate": round(error, 4),
            "rank_1": round(float((alike.argmax(1) == torch.arange(len(alike))).double().mean()), 4),
            "people": len(alike),
            "cosine_same_person": round(float(same.mean()), 3),
            "cosine_other_person": round(float(others.mean()), 3),
        }


def verification(same: Tensor, others: Tensor) -> tuple[float, float]:
    """Area under the curve of true against false acceptance, and the rate at which both errors are equal."""
    ordered = others.sort().values
    below = torch.searchsorted(ordered, same.contiguous()).double() / len(others)
    missed = torch.arange(1, len(same) + 1).double() / len(same)  # at the threshold of each same pair, sorted
    accepted = 1 - torch.searchsorted(ordered, same.sort().values).double() / len(others)
    at = int((missed - accepted).abs().argmin())
    return float(below.mean()), float(missed[at] + accepted[at]) / 2
