"""What a network may have been trained to predict, and how both halves follow from it.

x_t = √ā x_0 + √(1−ā) ε,    v = √ā ε − √(1−ā) x_0        (Salimans & Ho 2022, 2202.00512, app. D)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor

from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError
from dsg.models.coordinates import Coordinates, VariancePreserving
from dsg.types import State, at_least_float32

PredictionType = Literal["epsilon", "v", "denoised", "velocity", "score"]
"""What a network predicts of its own state x = α x_0 + β ε; in brackets, diffusers' words:

- epsilon: ε (`epsilon`).
- v: √ā ε − √(1−ā) x_0 (`v_prediction`).
- denoised: x_0 (`sample`, `original_sample`).
- velocity: the rate of the straight path in its time, ε − x_0 or, where the data lie at t = 1, x_0 − ε
  (`flow_prediction`).
- score: ∇_x log p(x) = −ε/β (no word).
"""

_THIS_FRAME = VariancePreserving()
_ELSEWHERE = {
    "sample": "denoised",
    "original_sample": "denoised",
    "v_prediction": "v",
    "flow": "velocity",
    "flow_prediction": "velocity",
}


def check_word(option: str, word: str, known: Sequence[str]) -> None:
    """Raise UserError for a word that is not among those of an option; one of diffusers' is told its name here."""
    if word not in known:
        said = f"{word!r} is called {_ELSEWHERE[word]} here" if word in _ELSEWHERE else f"got {word!r}"
        raise UserError(f"{option}: must be one of {', '.join(known)}; {said}")


def check_prediction_type(predicts: str, schedule: Schedule, coordinates: Coordinates = _THIS_FRAME) -> None:
    """Raise UserError for another word, for ε or the score at a schedule that begins at ā = 0, or for a velocity in
    coordinates that have none."""
    check_word("predicts", predicts, get_args(PredictionType))
    if predicts in ("epsilon", "score") and schedule.noisiest.signal == 0.0:
        raise UserError(
            f"predicts: {predicts} says nothing of x_0 at ā = 0, where the schedule begins; the network must predict v "
            "or denoised, or its schedule is another one"
        )
    if predicts == "velocity" and not coordinates.has_velocity:
        raise UserError(
            f"predicts: velocity is of the straight path, and the coordinates are {type(coordinates).__name__}; set "
            "coordinates to RectifiedFlow, or predicts to v (variance-preserving) or epsilon (dx/dσ of "
            "variance-exploding)"
        )


def both_halves(
    output: State, x_t: State, level: NoiseLevel, predicts: PredictionType, variance_range: State | None = None
) -> Prediction:
    """x̂ and ε from what is predicted of the variance-preserving `x_t`; all (B, *shape), float32 or better.

    - velocity: ε − x_0 of the straight path x = (1−t) x_0 + t ε, x = x_t/(√ā + √(1−ā)):
      x̂ = x − t·output, ε = x + (1−t)·output.
    - score: of x_t, so that ε = −√(1−ā) output.
    """
    output, x_t = at_least_float32(output), at_least_float32(x_t)
    if predicts == "score":
        output, predicts = -level.noise * output, "epsilon"
    if predicts == "epsilon":
        return Prediction.from_epsilon(output, x_t, level, variance_range)
    if predicts == "v":
        return Prediction.from_v(output, x_t, level, variance_range)
    if predicts == "denoised":
        return Prediction.from_clean(output, x_t, level, variance_range)
    x, t = x_t / (level.signal + level.noise), level.noise / (level.signal + level.noise)
    return Prediction(x - t * output, x + (1.0 - t) * output, variance_range)


def training_target(clean: State, epsilon: State, alpha_bar: float | Tensor, predicts: PredictionType) -> State:
    """What a network that `predicts` is trained to say of x_t = √ā x_0 + √(1−ā) ε; (B, *shape).

    `alpha_bar` is one number, or a tensor that broadcasts against the states.
    """
    if predicts == "epsilon":
        return epsilon
    if predicts == "denoised":
        return clean
    if predicts == "velocity":
        return epsilon - clean
    if predicts == "score":
        return -epsilon / (1.0 - alpha_bar) ** 0.5
    return alpha_bar**0.5 * epsilon - (1.0 - alpha_bar) ** 0.5 * clean


def read_output(
    output: Tensor,
    x_t: State,
    level: NoiseLevel,
    predicts: PredictionType,
    learns_variance: bool = False,
    coordinates: Coordinates = _THIS_FRAME,
) -> Prediction:
    """A network's (B, C, ...), or (B, 2C, ...) where the second half is the range of a learned variance.

    Args:
        output: what the network says of its own state.
        x_t: the variance-preserving state.
        level: of both.
        predicts: what the output is.
        learns_variance: whether there is a second half.
        coordinates: of the network's own state.

    Raises:
        UserError: if the network's answer has another shape.
    """
    expected = (len(x_t), (2 if learns_variance else 1) * x_t.shape[1], *x_t.shape[2:])
    if output.shape != expected:
        raise UserError(
            f"score model: the network answers {tuple(output.shape)} to a state {tuple(x_t.shape)}, expected "
            f"{expected}; mend the network, its shape or learns_variance"
        )
    said, variance_range = at_least_float32(output), None
    if learns_variance:
        said, variance_range = said.chunk(2, dim=1)
    return both_halves(_of_x_t(said, level, predicts, coordinates), x_t, level, predicts, variance_range)


def _of_x_t(output: State, level: NoiseLevel, predicts: PredictionType, coordinates: Coordinates) -> State:
    """What a network says of its own state s x_t, said of x_t: ∇_x log p is s times as large, and time has one way."""
    if predicts == "score":
        return coordinates.scale(level) * output
    return -output if predicts == "velocity" and coordinates.data_at_one else output
