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
from dsg.types import State, at_least_float32

PredictionType = Literal["epsilon", "v", "denoised", "velocity"]
"""ε; v; x_0, `sample` in diffusers; ε − x_0 of the straight path, `flow_prediction` there. v is `v_prediction` there."""

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


def check_prediction_type(predicts: str, schedule: Schedule) -> None:
    """Raise UserError for another word, or for ε at a schedule that begins at ā = 0."""
    check_word("predicts", predicts, get_args(PredictionType))
    if predicts == "epsilon" and schedule.noisiest.signal == 0.0:
        raise UserError(
            "predicts: epsilon says nothing of x_0 at ā = 0, where the schedule begins; the network must predict v or "
            "denoised, or its schedule is another one"
        )


def both_halves(
    output: State, x_t: State, level: NoiseLevel, predicts: PredictionType, variance_range: State | None = None
) -> Prediction:
    """x̂ and ε from a network's output at `x_t`; all (B, *shape), float32 or better.

    - epsilon, v, denoised: of the variance-preserving x_t.
    - velocity: ε − x_0 of the straight path x = (1−t) x_0 + t ε, x = x_t/(√ā + √(1−ā)):
      x̂ = x − t·output, ε = x + (1−t)·output.
    """
    output, x_t = at_least_float32(output), at_least_float32(x_t)
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
    return alpha_bar**0.5 * epsilon - (1.0 - alpha_bar) ** 0.5 * clean


def read_output(
    output: Tensor, x_t: State, level: NoiseLevel, predicts: PredictionType, learns_variance: bool = False
) -> Prediction:
    """A network's (B, C, ...), or (B, 2C, ...) where the second half is the range of a learned variance.

    Raises:
        UserError: if the network's answer has another shape.
    """
    expected = (len(x_t), (2 if learns_variance else 1) * x_t.shape[1], *x_t.shape[2:])
    if output.shape != expected:
        raise UserError(
            f"score model: the network answers {tuple(output.shape)} to a state {tuple(x_t.shape)}, expected "
            f"{expected}; mend the network, its shape or learns_variance"
        )
    if not learns_variance:
        return both_halves(output, x_t, level, predicts)
    output, variance_range = at_least_float32(output).chunk(2, dim=1)
    return both_halves(output, x_t, level, predicts, variance_range)
