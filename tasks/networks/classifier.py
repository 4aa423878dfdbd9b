"""Asking a classifier of clean images: any module that turns images into logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsg.errors import UserError, first_line
from dsg.types import Image


def log_probabilities(classifier: nn.Module, images: Image) -> Tensor:
    """log p(c|x), (B,C,H,W) in [−1, 1] → (B,K) float32 or better, differentiable; images get the weights' dtype."""
    logits = classifier(images.to(_weights(classifier, images).dtype))
    return (logits if logits.dtype.itemsize >= 4 else logits.float()).log_softmax(dim=1)


@torch.no_grad()
def count_classes(classifier: nn.Module, shape: tuple[int, ...], option: str) -> int:
    """K of a classifier of images of `shape` (C,H,W), found by asking it about two grey ones.

    Args:
        option: what an error calls it.

    Raises:
        UserError: if it refuses such images, or does not answer with finite logits (B,K), K ≥ 2.
    """
    name = type(classifier).__name__
    images = torch.zeros(2, *shape)
    try:
        logits = classifier.eval()(images.to(_weights(classifier, images)))
    except UserError as error:
        raise UserError(f"{option}: {error}") from None
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = first_line(error, 120)
        raise UserError(
            f"{option}: {name} cannot take images of shape {tuple(shape)} ({reason}); take a classifier of such images"
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2 or logits.shape[1] < 2:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(
            f"{option}: {name} must answer two images with logits (2, number of classes), got {found}; "
            "wrap it in a module that returns its logits alone"
        )
    if not logits.isfinite().all():
        raise UserError(f"{option}: {name} answers a grey image with logits that are not finite; check its weights")
    return logits.shape[1]


def _weights(classifier: nn.Module, otherwise: Tensor) -> Tensor:
    return next((p for p in classifier.parameters() if p.is_floating_point()), otherwise)
