"""What a picture shows, and what a text says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.portraits.learning import mixed
from benchmarks.portraits.lessons.base import Lesson, answers
from benchmarks.portraits.truths import Truths
from dsg.data.portraits.attributes import SEED, draw_traits
from dsg.data.portraits.captions import caption, describe, named_in
from dsg.models.portraits.attribute_judge import AttributeJudge
from dsg.models.portraits.image_text import PortraitsImageText
from dsg.models.portraits.twin import Role
from dsg.models.portraits.words import word_rows

TELLINGS = 2  # captions of each picture
CHOICE = 64  # captions that the right one is to be found among


class ImageTextLesson(Lesson):
    """96 pictures and their captions: each is to find its own among the others, both ways, at a learned temperature."""

    twin = PortraitsImageText
    batch = 96

    def __init__(self, role: Role, truths: Truths) -> None:
        super().__init__(role, truths)
        # Other tellings than the captions that are evaluated.
        told = [
            describe(draw_traits(*truths.shown(row)), np.random.default_rng([SEED, *truths.shown(row), 2 + telling]))
            for row in range(len(truths))
            for telling in range(TELLINGS)
        ]
        self.said = word_rows([one.text for one in told]).unflatten(0, (-1, TELLINGS))
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = self.rows(generator)
        telling = torch.randint(TELLINGS, (self.batch,), generator=generator)
        said = self.said[rows, telling]
        with mixed(torch.device("cpu")):
            pictures = self.network(self.seen(rows, generator))
        alike = self.log_scale.exp().clamp(max=100) * pictures @ self.network.read(said).mT
        own = torch.arange(self.batch)
        return 0.5 * (cross_entropy(alike, own) + cross_entropy(alike.mT, own))

    @staticmethod
    def quality(network: Any, truths: Truths) -> dict[str, Any]:
        """How often the caption is found, and how often it and AttributeJudge prefer the same of two pictures."""
        texts = [caption(*truths.shown(row)).text for row in range(len(truths))]
        with torch.no_grad():
            pictures, said = answers(network, truths), network.text_features(texts)
        groups = len(texts) // CHOICE
        alike = torch.stack([pictures[i::groups][:CHOICE] @ said[i::groups][:CHOICE].mT for i in range(groups)])
        own = torch.arange(CHOICE)
        return {
            "caption_of_64": round(float((alike.argmax(2) == own).double().mean()), 4),
            "picture_of_64": round(float((alike.argmax(1) == own).double().mean()), 4),
            "agreement_with_attribute_judge": round(agreement(pictures, said, texts, truths), 4),
            "cosine_own": round(float(alike.diagonal(dim1=1, dim2=2).mean()), 3),
            "cosine_other": round(float(alike.mean()), 3),
        }


def agreement(pictures: Tensor, said: Tensor, texts: list[str], truths: Truths) -> float:
    """Of two pictures and a text, in how many cases the nearer one shows more of it as AttributeJudge sees it.

    The pictures are of other captions; pairs of which as much is true are left out.
    """
    judge = AttributeJudge()
    named = [named_in(text) for text in texts]
    shares = []
    for shift in (1, 2):
        rows = (np.arange(len(texts)) + 7 * shift) % len(texts)
        parts = [
            judge.agrees(torch.from_numpy(truths.images[part]).float() / 127.5 - 1, [named[i] for i in own])
            for part, own in zip(np.array_split(rows, 20), np.array_split(np.arange(len(texts)), 20), strict=True)
        ]
        facts = [answer for part in parts for answer in part]
        share = torch.tensor([sum(told.values()) / len(told) if told else 0.0 for told in facts])
        shares.append((share, (pictures[rows] * said).sum(1)))
    (first, near), (second, far) = shares
    decided = first != second
    return float(((first > second) == (near > far))[decided].double().mean())
