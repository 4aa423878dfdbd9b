"""What the contract of masked processes meets: token models, kernels and combiners. A new one joins by one line."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dsg.combiners.scale import PiecewiseLinear
from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.masked import MaskedProcess, MaskedRecord, MaskedSampler
from dsg.masked.combiners import (
    ClassifierFree,
    ClassifierGuidance,
    Conditional,
    PosteriorTilt,
    TableClassifier,
    TokenCombiner,
)
from dsg.masked.kernels import ConfidenceOrder, FirstHitting, TauLeaping, TokenKernel
from dsg.models.tokens import JointTable, NetworkTokens, TokenModel

LENGTH, VOCABULARY, CLASSES = 3, 4, 2


def random_table(seed: int = 0, length: int = LENGTH, vocabulary: int = VOCABULARY, classes: int = CLASSES) -> Tensor:
    """Chances (K, V, ..., V) that are far from independent and from each other."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(classes, *[vocabulary] * length, generator=generator, dtype=torch.float64) ** 4 + 1e-3


class TinyNetwork(nn.Module):
    """A network of one's own, untrained: every token hangs on all tokens and on the class."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.label = nn.Embedding(VOCABULARY + 1, 8), nn.Embedding(CLASSES + 1, 8 * LENGTH)
        self.head = nn.Linear(8 * LENGTH, LENGTH * VOCABULARY)

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:
        seen = (self.token(tokens).flatten(1) + self.label(labels)).tanh()
        return self.head(seen).unflatten(1, (LENGTH, VOCABULARY))


def tiny_network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TinyNetwork()
        for weight in network.parameters():
            nn.init.normal_(weight, std=0.5)
    return network


TABLE = JointTable(random_table())
MODELS: dict[str, TokenModel] = {
    "table": TABLE,
    "network": NetworkTokens(tiny_network(), LENGTH, VOCABULARY, num_classes=CLASSES, null_class=CLASSES),
}
KERNELS: dict[str, tuple[TokenKernel, int | None]] = {
    "tau-leaping": (TauLeaping(), 5),
    "first hitting": (FirstHitting(), None),
    "confidence order": (ConfidenceOrder(temperature=0.5), 2),
}
RAMP = PiecewiseLinear((0.2, 1.0), (3.0, 0.5))
COMBINERS: dict[str, tuple[TokenCombiner, int, int]] = {  # with forward and backward evaluations a step
    "conditional": (Conditional(), 1, 0),
    "classifier-free": (ClassifierFree(3.0), 2, 0),
    "classifier-free, not normalised": (ClassifierFree(3.0, normalised=False), 2, 0),
    "classifier-free, ramp": (ClassifierFree(RAMP), 2, 0),
    "classifier-free, not normalised, ramp": (ClassifierFree(RAMP, normalised=False), 2, 0),
    "posterior tilt": (PosteriorTilt(3.0), 2, 0),
    "classifier": (ClassifierGuidance(TableClassifier(TABLE), 2.0), 1, 0),
    "classifier, exact": (ClassifierGuidance(TableClassifier(TABLE), 2.0, first_order=False), 1, 0),
    "classifier, not normalised": (ClassifierGuidance(TableClassifier(TABLE), 2.0, normalised=False), 1, 0),
}


@dataclass(frozen=True)
class TokenCase:
    """One model under one kernel and one combiner."""

    model: str
    kernel: str
    combiner: str

    def sampler(self, combiner: TokenCombiner | None = None) -> MaskedSampler:
        """Raises UserError where the parts do not suit each other."""
        kernel, steps = KERNELS[self.kernel]
        own = combiner or COMBINERS[self.combiner][0]
        return MaskedSampler(MODELS[self.model], kernel=kernel, steps=steps, combiner=own)

    def refusal(self) -> str | None:
        try:
            self.sampler()
        except UserError as error:
            return str(error)
        return None

    def __str__(self) -> str:
        return f"{self.model}-{self.kernel}-{self.combiner}"


EVERY = [TokenCase(m, k, c) for m in MODELS for k in KERNELS for c in COMBINERS]
CASES = [case for case in EVERY if case.refusal() is None]
REFUSED = [case for case in EVERY if case.refusal() is not None]


def sample(
    sampler: MaskedSampler, ids: str, seed: int = 0, label: int = 0
) -> tuple[Tensor, list[MaskedRecord], MaskedProcess]:
    """The tokens of some images, named by a letter each."""
    streams = NoiseStreams([SampleKey(seed, name) for name in ids])
    process = sampler.begin(Examples(None, {"label": torch.full((len(ids),), label)}), streams)
    records = list(sampler.run(process))
    return records[-1].x_prev, records, process
