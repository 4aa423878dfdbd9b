"""Asking a classifier of clean images: any module that turns images into logits."""

from __future__ import annotations

from torch import Tensor, nn

from dsg.errors import UserError
from dsg.types import Image, at_least_float32
from tasks.networks.trial import answer_to_grey, weights_like


def log_probabilities(classifier: nn.Module, images: Image) -> Tensor:
    """log p(c|x), (B,C,H,W) in [−1, 1] → (B,K) float32 or better, differentiable; images get the weights' dtype."""
    logits = classifier(images.to(weights_like(classifier, images).dtype))
    return at_least_float32(logits).log_softmax(dim=1)


def count_classes(classifier: nn.Module, shape: tuple[int, ...], option: str) -> int:
    """K of a classifier of images of `shape` (C,H,W), found by asking it about two grey ones.

    Args:
        option: what an error calls it.

    Raises:
        UserError: if it refuses such images, or does not answer with finite logits (B,K), K ≥ 2.
    """
    logits = answer_to_grey(classifier, shape, option, "take a classifier of such images")
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise UserError(
            f"{option}: {type(classifier).__name__} must answer two images with logits (2, number of classes), got "
            f"{tuple(logits.shape)}; wrap it in a module that returns its logits alone"
        )
    return logits.shape[1]
