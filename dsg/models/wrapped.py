"""A score model around another one, which it passes on but for what it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dsg.data.examples import Examples, Value
from dsg.data.media import Medium
from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.models.base import ScoreModel
from dsg.types import Image, State


class WrappedModel(ScoreModel):
    """All of `score_model`. Subclasses override what they change, and call `freeze()`.

    Args:
        score_model: the model inside.
    """

    def __init__(self, score_model: ScoreModel) -> None:
        super().__init__()
        self.score_model = score_model
        self.schedule, self.shape = score_model.schedule, score_model.shape
        self.num_classes, self.null_class = score_model.num_classes, score_model.null_class
        self.learns_variance, self.clean_range = score_model.learns_variance, score_model.clean_range
        self.predicts, self.whole_timesteps = score_model.predicts, score_model.whole_timesteps

    @property
    def is_conditional(self) -> bool:
        return self.score_model.is_conditional

    @property
    def knows_marginal(self) -> bool:
        return self.score_model.knows_marginal

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.score_model.image_shape

    @property
    def medium(self) -> Medium:
        return self.score_model.medium

    @property
    def has_decoder(self) -> bool:
        return self.score_model.has_decoder

    @property
    def has_encoder(self) -> bool:
        return self.score_model.has_encoder

    @property
    def hears(self) -> frozenset[str]:
        return self.score_model.hears

    @property
    def requires(self) -> frozenset[str]:
        return self.score_model.requires

    def mend(self, missing: Sequence[str]) -> str:
        return self.score_model.mend(missing)

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        self.score_model.check_examples(known)

    def notes(self, columns: frozenset[str], leads_away: bool) -> Sequence[str]:
        return self.score_model.notes(columns, leads_away)

    def condition(self, examples: Examples) -> Condition | None:
        return self.score_model.condition(examples)

    def decode(self, state: State) -> Image:
        return self.score_model.decode(state)

    def encode(self, image: Image) -> State:
        return self.score_model.encode(image)

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        return self.score_model(x_t, level, condition)
