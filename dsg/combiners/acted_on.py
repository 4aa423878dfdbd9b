"""Which of the things that a network may predict a combiner acts on.

Linear combinations are the same for all of them; a spread, a projection and a norm are not. Papers speak of one, and
their code, or others', acts on whatever the network predicts.
"""

from __future__ import annotations

from typing import Literal, get_args

from dsg.combiners.extrapolation import Extrapolation
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.prediction_types import both_halves, check_word, training_target
from dsg.types import State

Part = Literal["epsilon", "v", "denoised", "velocity"]
On = Literal["epsilon", "v", "denoised", "velocity", "prediction"]
"""ε, v, x̂, the velocity ε − x_0 of the straight path; or that of these which the score model's network predicts."""


def check_on(on: str) -> None:
    """Raise UserError for another word."""
    check_word("acts_on", on, get_args(On))


def check_knows(on: On, score_model: ScoreModel) -> None:
    """Raise UserError for `prediction` with a score model that does not say what its network predicts, or predicts the
    score, which is one part more for every scale of its own state."""
    if on != "prediction":
        return
    name, others = type(score_model).__name__, ", ".join(get_args(Part))
    if score_model.predicts is None:
        raise UserError(f"combiner.acts_on: {name} does not say what its network predicts; set it to one of {others}")
    if score_model.predicts == "score":
        raise UserError(
            f"combiner.acts_on: the network of {name} predicts the score, on which no combiner acts; set it to "
            "epsilon, which is parallel to the score at every level"
        )


def kind_of(on: On, score_model: ScoreModel) -> Part:
    """What `acts_on` means for a score model."""
    kind = score_model.predicts if on == "prediction" else on
    assert kind is not None, "checked before the first sample"
    assert kind != "score", "checked before the first sample"
    return kind


def part(prediction: Prediction, kind: Part, level: NoiseLevel) -> State:
    """That part of a prediction, (B, *shape)."""
    if kind == "v":
        return prediction.v(level)
    return training_target(prediction.clean_estimate, prediction.epsilon, level.alpha_bar, kind)


def with_part(prediction: Prediction, kind: Part, value: State, x_t: State, level: NoiseLevel) -> Prediction:
    """The prediction at `x_t` with another such part, and both halves of it."""
    if kind == "denoised":
        return prediction.moved_to(value, level)
    if kind == "epsilon":
        return prediction.shifted(value - prediction.epsilon, level)
    return both_halves(value, x_t, level, kind, prediction.variance_range)


class ActsOnOne(Extrapolation):
    """An extrapolation that always acts on one of them, its field `acts_on`."""

    acts_on: On

    def __post_init__(self) -> None:
        super().__post_init__()
        check_on(self.acts_on)

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.acts_on == "epsilon"

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        super().check(score_model, kernel)
        check_knows(self.acts_on, score_model)
