"""torchvision's small segmentation network, of Universal Guidance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from dsg.errors import installed
from dsg.types import Image
from tasks.features.preparation import IMAGENET, Preparation, Resize
from tasks.networks.published import Published

CLASSES = 21


class LRASPP(Published):
    """`lraspp_mobilenet_v3_large` (Howard et al. 2019, 1905.02244): images in [−1, 1] → logits (B,21,520,520).

    The classes are those of Pascal VOC, 0 the background and 12 a dog. torchvision publishes the weights as
    `lraspp_mobilenet_v3_large-d234d4ea.pth`.

    Args:
        checkpoint: its state dict.
        classes: how many it was trained with.
        prepare: in place of Universal Guidance's bilinear 520² and ImageNet's mean and deviation.

    Raises:
        UserError: if the file cannot be read, or has weights of another network.
    """

    def __init__(self, checkpoint: str, classes: int = CLASSES, prepare: Sequence[Preparation] | None = None) -> None:
        super().__init__(untrained(classes), checkpoint, (Resize(520), IMAGENET), prepare)

    def answer(self, prepared: Image) -> Tensor:
        told: Any = super().answer(prepared)
        return told["out"]


def untrained(classes: int = CLASSES) -> nn.Module:
    """torchvision's own module, normalised images (B,3,H,W) → {"out": logits (B,classes,H,W)}; nothing is fetched."""
    with installed("torchvision", "LRASPP"):
        from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    return lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=classes)
