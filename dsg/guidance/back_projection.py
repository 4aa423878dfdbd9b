"""What a measurement says of an image, in image space: B y, with a B that takes y back to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from torch import Tensor

from dsg.errors import UserError
from dsg.guidance.linear import linear_operator
from dsg.guidance.steepness import operator_norm
from dsg.process import ReverseProcess
from dsg.types import Image, PerSample, State, expand_to, per_sample_norm

BackProjection = Literal["scaled_adjoint", "adjoint", "pseudo_inverse", "identity"]
"""B: scaled_adjoint Aᵀ/‖A‖² · adjoint Aᵀ · pseudo_inverse A⁺ · identity, where y is an image of that size.

I − B A is a projection where A Aᵀ = I, and all are one for a mask. Aᵀ/‖A‖² is A⁺ where all singular values are equal,
and magnifies no noise; A⁺ does, by the smallest of them.
"""


def check_back_projection(method: str, name: str, value: str, *others: str) -> None:
    """Raise UserError unless `value` is one, or one of `others`."""
    allowed = (*others, *get_args(BackProjection))
    if value not in allowed:
        raise UserError(f"{name}: {method}'s must be {' or '.join(allowed)}, got {value!r}")


def back_projected(residual: Tensor, how: BackProjection, process: ReverseProcess, option: str) -> Image:
    """B r of a residual or measurement, (B, ...) → (B, C, H, W); differentiable. `option` is what says B."""
    operator = linear_operator(process)
    if how == "pseudo_inverse":
        return operator.pseudo_inverse(residual)
    if how == "identity":
        return _image(residual, process, option)
    image = operator.adjoint(residual)
    return image if how == "adjoint" else image / expand_to(_squared_norm(process), image).to(image)


def residual_loss(
    process: ReverseProcess, how: Literal["measurement"] | BackProjection, losses: list[PerSample] | None = None
) -> Callable[[State], PerSample]:
    """x̂ ↦ the task's loss L(x̂, y), `measurement`, or ‖B (y − A D(x̂))‖, (B,); `losses` is told L of every x̂."""

    def objective(clean_estimate: State) -> PerSample:
        image = process.decode(clean_estimate)
        if how == "measurement" or losses is not None:
            loss = process.task.loss(image, process.measurement)
            if losses is not None:
                losses.append(loss.detach())
            if how == "measurement":
                return loss
        residual = process.measurement.y - linear_operator(process).forward(image)
        return per_sample_norm(back_projected(residual, how, process, "residual"))

    return objective


def _image(residual: Tensor, process: ReverseProcess, option: str) -> Image:
    shape = tuple(process.score_model.image_shape)
    if tuple(residual.shape[1:]) != shape:
        raise UserError(
            f"{option}: identity takes y for an image {shape}, and y is {tuple(residual.shape[1:])}; take "
            "scaled_adjoint"
        )
    return residual


def _squared_norm(process: ReverseProcess) -> PerSample:
    """‖A‖², (B,) float64; 1 of an A that sees nothing."""
    squared = operator_norm(process).double() ** 2
    return squared.where(squared > 0, 1.0)
