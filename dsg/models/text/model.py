"""A network that is told a text, as a score model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from dsg.data.examples import LABEL, Examples, Value
from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.coordinates import Coordinates
from dsg.models.engines import Engine, Plain
from dsg.models.prediction_types import PredictionType, read_output
from dsg.models.text.condition import TextCondition
from dsg.models.text.encoding import TextEncoding
from dsg.models.text.prompts import Prompts
from dsg.types import State


class TextModel(ScoreModel):
    """A network called as `network(x, t, condition)`, with a `TextCondition` of as many rows. Its states have no range.

    Without a condition it hears the empty text. A combiner leads away from the negative prompt.

    Args:
        network: the module.
        shape: of one state, without the batch.
        predicts: what the network was trained for.
        schedule: what it was trained with.
        coordinates: in which it sees the state.
        texts: makes the condition.
        prompts: where the texts come from.
        negative_prompts: where those come from that describe what is not wanted.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.
    """

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        predicts: PredictionType,
        schedule: Schedule,
        coordinates: Coordinates,
        texts: TextEncoding,
        prompts: Prompts,
        negative_prompts: Prompts,
        engine: Engine | None = None,
    ) -> None:
        super().__init__()
        self.engine = engine or Plain()
        self.network = self.engine.prepare(network)
        self.shape, self.schedule, self.coordinates = tuple(shape), schedule, coordinates
        self.predicts: PredictionType = predicts
        self.texts, self.prompts, self.negative_prompts = texts, prompts, negative_prompts
        self._silence: TextCondition | None = None  # what the encoders say of the empty text
        self.freeze()

    @property
    def is_conditional(self) -> bool:
        return True

    @property
    def hears(self) -> frozenset[str]:
        return self.prompts.columns | self.negative_prompts.columns

    @property
    def requires(self) -> frozenset[str]:
        return self.hears

    def mend(self, missing: Sequence[str]) -> str:
        return (self.prompts if self.prompts.column in missing else self.negative_prompts).mend

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        self.texts.check(self.prompts.known(known) | self.negative_prompts.known(known))

    def notes(self, columns: frozenset[str], leads_away: bool) -> list[str]:
        unheard = [
            f"{kind.option} is the same text for all images; the data's column {kind.column} is not read: set it to "
            "null to read that"
            for kind in (self.prompts, self.negative_prompts)
            if kind.text is not None and kind.column in columns
        ]
        if self.negative_prompts.text != "" and not leads_away:
            unheard.append(
                f"{self.negative_prompts.option}: nothing leads away from it; that takes model.combiner, as "
                "dsg.combiners.ClassifierFree"
            )
        if LABEL in columns:
            unheard.append(f"data.labels: not read, since {type(self).__name__} is told of a text; leave them out")
        return unheard + self.engine.notes(self.network)

    def condition(self, examples: Examples) -> TextCondition:
        """The embedded prompts, each with its negative; every distinct text is encoded once."""
        prompts, negatives = self.prompts.of(examples), self.negative_prompts.of(examples)
        both = self.texts([*prompts, *negatives])
        rows = torch.arange(len(both))
        return replace(both.rows(rows[: len(prompts)]), negative=both.rows(rows[len(prompts) :]))

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        told = self._silent(x_t) if condition is None else condition
        if not isinstance(told, TextCondition):
            raise UserError(f"score model: conditional on a text, and cannot use {type(told).__name__}")
        if len(told) != len(x_t):
            raise UserError(f"score model: {len(told)} texts for {len(x_t)} states; give each state its text")
        scale, time = self.coordinates.scale(level), self.coordinates.time(level)
        output = self.engine.call(self.network, scale * x_t, time, told.to(x_t.device))
        return read_output(output, x_t, level, self.predicts, coordinates=self.coordinates)

    def _silent(self, x_t: State) -> TextCondition:
        silence: TextCondition = self.texts([""]) if self._silence is None else self._silence
        self._silence = silence
        return silence.rows(torch.zeros(len(x_t), dtype=torch.long, device=silence.embedding.device))
