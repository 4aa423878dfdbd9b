"""From what a network says of two pictures to one number a sample: the residual and its reduction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.types import PerSample, at_least_float32, per_sample_norm


class Distance(ABC):
    """d(a, b) ≥ 0 of the features a of estimates and the target b: a strategy object without state."""

    def target(self, features: Tensor) -> Tensor:
        """b, (B, ...), from the features of the reference: what is kept of them as y. Here they themselves."""
        return features

    @abstractmethod
    def __call__(self, features: Tensor, target: Tensor) -> PerSample:
        """d, (B,), float32 or better, differentiable in `features`, (B, ...)."""


@dataclass(frozen=True)
class Norm(Distance):
    """d = ‖a − b‖₂, not squared: DSG's and FreeDoM's."""

    def __call__(self, features: Tensor, target: Tensor) -> PerSample:
        return per_sample_norm(features - target)


@dataclass(frozen=True)
class SquaredNorm(Distance):
    """d = ‖a − b‖₂²."""

    def __call__(self, features: Tensor, target: Tensor) -> PerSample:
        return at_least_float32(features - target).square().flatten(1).sum(1)


@dataclass(frozen=True)
class MeanSquare(Distance):
    """d = ‖a − b‖₂²/m, with m features."""

    def __call__(self, features: Tensor, target: Tensor) -> PerSample:
        return at_least_float32(features - target).square().flatten(1).mean(1)


@dataclass(frozen=True)
class CosineDistance(Distance):
    """d = 1 − ⟨a, b⟩/(‖a‖ ‖b‖), in [0, 2]; 1 where either vanishes."""

    def __call__(self, features: Tensor, target: Tensor) -> PerSample:
        return 1.0 - torch.cosine_similarity(
            at_least_float32(features).flatten(1), at_least_float32(target).flatten(1), dim=1
        )


@dataclass(frozen=True)
class CrossEntropy(Distance):
    """d = −mean over places of log softmax(a)[b], for logits a (B,K, *places) and classes b (B, *places) int64.

    The classes of a reference are the likeliest ones of its logits. A place of the class `ignore` counts as 0; it stays
    in the mean, as in the code of Universal Guidance, unless `leave_out` takes it out.

    Args:
        ignore: a class that is none.
        leave_out: take the mean over the other places alone; 0 where there are none.
    """

    ignore: int = 255
    leave_out: bool = False

    def target(self, features: Tensor) -> Tensor:
        return features.argmax(dim=1)

    def __call__(self, features: Tensor, target: Tensor) -> PerSample:
        each = torch.nn.functional.cross_entropy(
            at_least_float32(features), target, ignore_index=self.ignore, reduction="none"
        ).reshape(len(target), -1)
        if not self.leave_out:
            return each.mean(1)
        return each.sum(1) / (target != self.ignore).reshape(len(target), -1).sum(1).clamp(min=1)
