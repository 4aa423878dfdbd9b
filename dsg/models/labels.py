"""The class labels that a network hears: the caller's, or the null class, or none."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.diffusion.condition import ClassLabels, Condition
from dsg.errors import UserError
from dsg.types import State


def labels_for(
    x_t: State, condition: Condition | None, num_classes: int | None, null_class: int | None = None
) -> Tensor | None:
    """(B,) int64 on `x_t`'s device, or None for a network without classes.

    `null_class` is the label that stands for "unconditional" in a network that was trained with dropped labels
    (Ho & Salimans 2022); without one, a class-conditional network needs a condition.

    Raises:
        UserError: if the condition and the network do not suit each other.
    """
    if condition is None and null_class is not None:
        return torch.full((len(x_t),), null_class, dtype=torch.long, device=x_t.device)
    if condition is None and num_classes is not None:
        raise UserError(f"model: conditional on {num_classes} classes and needs class labels; give a condition")
    if condition is None:
        return None
    if num_classes is None:
        raise UserError("model: unconditional and takes no condition; drop the condition, or use another model")
    if not isinstance(condition, ClassLabels):
        raise UserError(f"model: conditional on class labels, and cannot use a {type(condition).__name__}")
    if condition.labels.shape != (len(x_t),):
        raise UserError(
            f"model: class labels must be ({len(x_t)},), one per state, got {tuple(condition.labels.shape)}"
        )
    return condition.labels.to(device=x_t.device, dtype=torch.long)
