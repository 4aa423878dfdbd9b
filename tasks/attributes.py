"""A portrait that shows what a prompt names, fact by fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from dsg.data.examples import PROMPT, Examples, Value
from dsg.data.portraits import named_in
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.models.portraits.attribute_judge import CHOICES, AttributeJudge, indices
from dsg.models.text.prompts import Prompts
from dsg.types import Image, PerSample, at_least_float32
from tasks.base import Measurement
from tasks.card import card
from tasks.feature import Asked, Features, FeatureTask
from tasks.features.distance import Distance

_SIDE = 128


class Facts(nn.Module):
    """log p(value | x) of all values of all facts, one fact after the other: images (B,3,H,W) → (B,M).

    Args:
        network: images → fact → logits (B,values), as AttributeJudge.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Image) -> Tensor:
        told: dict[str, Tensor] = self.network(images)
        return torch.cat([at_least_float32(told[name]).log_softmax(1) for name in CHOICES], dim=1)


class Surprise(Distance):
    """d = −mean over the named facts of log p of their values, 0 of none: log p (B,M), named values (B,M), 1 or 0."""

    def __call__(self, features: Tensor, target: Tensor) -> PerSample:
        return -(features * target).sum(1) / target.sum(1).clamp(min=1)


class Attributes(FeatureTask):
    """A portrait that shows the facts that its prompt names, by a classifier of each fact:

        L(x̂, c) = −mean_f log p(c_f | x̂)

    y says of every value of every fact whether the prompt names it. It judges what text guides: its classifiers have
    learned from facts, not from texts.

    Args:
        network: images → fact → logits, frozen here; null is dsg.models.portraits.attribute_judge.AttributeJudge.
        prompt: c of every image, in the words of the portraits' captions; null takes each one's from the column.
        prompt_column: of the data.

    Raises:
        UserError: before the first sample, for images that the network does not take, data without the column, and
            prompts none of which names a fact.
    """

    def __init__(
        self, network: nn.Module | None = None, prompt: str | None = None, prompt_column: str = PROMPT
    ) -> None:
        super().__init__(Facts(AttributeJudge() if network is None else network), Surprise(), prompt_column)
        self.prompts = Prompts("model.task.prompt", prompt, prompt_column)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The column of prompts, unless one is for all."""
        return self.prompts.columns

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        texts = self.prompts.known(known)
        if texts and not any(named_in(text) for text in texts.values()):
            raise UserError(
                "model.task.prompt: no prompt names a fact that the portraits' captions know, such as `red hair` or "
                "`round glasses`; take such prompts, or another task"
            )

    @torch.no_grad()
    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        texts = self.prompts.of(examples) if self.prompts.text is None else [self.prompts.text] * len(streams)
        shown = torch.stack([card(text, _SIDE) for text in texts]).to(streams.device)
        return Asked(_named(texts).to(streams.device), Features(self.network), shown)

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`attribute_accuracy`, the share of the named facts whose named value is the likeliest; NaN of no fact."""
        told = measurement.operator.forward(samples)
        sizes = [len(values) for values in CHOICES.values()]
        each = zip(told.split(sizes, dim=1), measurement.y.split(sizes, dim=1), strict=True)
        seen = torch.stack([named.gather(1, p.argmax(1, keepdim=True))[:, 0] for p, named in each])
        return {"attribute_accuracy": seen.sum(0) / measurement.y.sum(1)}


def _named(texts: Sequence[str]) -> Tensor:
    """Which values each text names, (B,M): 1 or 0."""
    found = indices([named_in(text) for text in texts])
    rows = [nn.functional.one_hot(found[name] + 1, len(values) + 1)[:, 1:] for name, values in CHOICES.items()]
    return torch.cat(rows, dim=1).float()
