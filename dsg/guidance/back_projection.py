"""What a measurement says of an image, in image space: B y, with a B that takes y back to it."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor

from dsg.errors import UserError
from dsg.guidance.linear import linear_operator
from dsg.guidance.steepness import operator_norm
from dsg.process import ReverseProcess
from dsg.types import Image, PerSample, expand_to

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


def back_projected(residual: Tensor, how: BackProjection, process: ReverseProcess) -> Image:
    """B r of a residual or measurement, (B, ...) → (B, C, H, W); differentiable."""
    operator = linear_operator(process)
    if how == "pseudo_inverse":
        return operator.pseudo_inverse(residual)
    if how == "identity":
        return _image(residual, process)
    image = operator.adjoint(residual)
    return image if how == "adjoint" else image / expand_to(_squared_norm(process), image).to(image)


def _image(residual: Tensor, process: ReverseProcess) -> Image:
    shape = tuple(process.score_model.image_shape)
    if tuple(residual.shape[1:]) != shape:
        raise UserError(
            f"projection: identity takes y for an image {shape}, and y is {tuple(residual.shape[1:])}; take "
            "scaled_adjoint"
        )
    return residual


def _squared_norm(process: ReverseProcess) -> PerSample:
    """‖A‖², (B,) float64; 1 of an A that sees nothing."""
    squared = operator_norm(process).double() ** 2
    return squared.where(squared > 0, 1.0)
