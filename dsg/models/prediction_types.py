"""What a network may have been trained to predict, and the one convention (ε) that the rest of the house speaks.

x_t = √ā x_0 + √(1−ā) ε,    v = √ā ε − √(1−ā) x_0        (Salimans & Ho 2022, app. D)
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dsg.diffusion.prediction import ModelOutput
from dsg.errors import UserError
from dsg.types import State

Prediction = Literal["epsilon", "v", "sample"]


def to_epsilon(prediction: State, x_t: State, alpha_bar: float, predicts: Prediction) -> State:
    """ε from a network's prediction at `x_t`; all (B, *shape), float32.

    epsilon: itself. v: √ā v + √(1−ā) x_t. sample (x̂): (x_t − √ā x̂)/√(1−ā).
    """
    signal, noise = alpha_bar**0.5, (1.0 - alpha_bar) ** 0.5
    prediction, x_t = prediction.float(), x_t.float()
    if predicts == "epsilon":
        return prediction
    if predicts == "v":
        return signal * prediction + noise * x_t
    if predicts == "sample":
        return (x_t - signal * prediction) / noise
    raise UserError(f"predicts: must be epsilon, v or sample, got {predicts!r}")


def training_target(clean: State, epsilon: State, alpha_bar: float | Tensor, predicts: Prediction) -> State:
    """What a network that `predicts` is trained to say of x_t = √ā x_0 + √(1−ā) ε; (B, *shape).

    `alpha_bar` is one number, or a tensor that broadcasts against the states.
    """
    if predicts == "epsilon":
        return epsilon
    if predicts == "sample":
        return clean
    return alpha_bar**0.5 * epsilon - (1.0 - alpha_bar) ** 0.5 * clean


def as_model_output(
    prediction: Tensor, x_t: State, alpha_bar: float, predicts: Prediction, learns_variance: bool = False
) -> ModelOutput:
    """A network's (B, C, ...), or (B, 2C, ...) where the second half is the range of a learned variance, in ε.

    Raises:
        UserError: if the network's answer has another shape.
    """
    expected = (len(x_t), (2 if learns_variance else 1) * x_t.shape[1], *x_t.shape[2:])
    if prediction.shape != expected:
        raise UserError(
            f"score model: the network answers {tuple(prediction.shape)} to a state {tuple(x_t.shape)}, expected "
            f"{expected}; mend the network, its shape or learns_variance"
        )
    variance_range = None
    if learns_variance:
        prediction, variance_range = prediction.float().chunk(2, dim=1)
    return ModelOutput(to_epsilon(prediction, x_t, alpha_bar, predicts), variance_range)
