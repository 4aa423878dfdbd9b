"""A classifier of clean images that is more, or less, sure than it should be."""

from __future__ import annotations

import math

from torch import Tensor, nn

from dsg.errors import UserError
from dsg.types import Image


class Tempered(nn.Module):
    """Logits divided by a temperature (Guo et al. 2017, 1706.04599): log p_T ∝ z/T, over-confident for T < 1.

    With two classes ∇ log σ(z/T) = (1 − σ(z/T))/T ∇z, so that T changes the length of a guide's gradient alone.

    Args:
        classifier: images (B,C,H,W) → logits (B,K), frozen here.
        temperature: T > 0; 1 is the classifier itself.

    Raises:
        UserError: for another T.
    """

    def __init__(self, classifier: nn.Module, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier = classifier.eval().requires_grad_(False)
        self.temperature = checked_temperature(temperature, "Tempered")

    def forward(self, images: Image) -> Tensor:
        return self.classifier(images) / self.temperature


def checked_temperature(temperature: float, name: str) -> float:
    """T, or a UserError that says that it is none."""
    if not 0.0 < temperature < math.inf:
        raise UserError(f"{name}: temperature must be positive and finite, got {temperature}; 1 changes nothing")
    return temperature
