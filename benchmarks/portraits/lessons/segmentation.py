"""Parts, pixel by pixel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.portraits.learning import mixed
from benchmarks.portraits.lessons.base import Lesson, answers
from benchmarks.portraits.truths import Truths
from dsg.data.portraits import SEGMENTS
from dsg.models.portraits.segmentation import PortraitsSegmentation

# Small parts count for a little more: by much, and they would grow beyond their edges.
WEIGHT = torch.tensor([1.0, 1.0, 1.0, 1.2, 1.5, 1.5, 1.3, 1.5, 1.3, 1.0, 1.0])


class SegmentationLesson(Lesson):
    """Weighted cross-entropy of each pixel."""

    twin = PortraitsSegmentation
    batch = 32

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = self.rows(generator)
        target = torch.from_numpy(self.truths.segmentation[rows]).long()
        with mixed(torch.device("cpu")):
            logits = self.network(self.seen(rows, generator))
        return cross_entropy(logits.float(), target, WEIGHT)

    @staticmethod
    def quality(network: Any, truths: Truths) -> dict[str, Any]:
        """Intersection over union of each part over all pictures, their mean, and the share of right pixels."""
        found = answers(lambda images: network(images).argmax(1), truths)
        iou = intersection_over_union(found, torch.from_numpy(truths.segmentation[:]).long())
        right = (found == torch.from_numpy(truths.segmentation[:])).double().mean()
        each = {name: round(value, 4) for name, value in zip(SEGMENTS, iou.tolist(), strict=True)}
        return {
            "mean_intersection_over_union": round(float(iou.mean()), 4),
            "intersection_over_union": each,
            "pixel_accuracy": round(float(right), 4),
        }


def intersection_over_union(found: Tensor, truth: Tensor) -> Tensor:
    """Of each part, (11,), over all pixels together."""
    parts = len(SEGMENTS)
    pairs = torch.bincount((truth * parts + found).flatten(), minlength=parts**2).reshape(parts, parts).double()
    return pairs.diagonal() / (pairs.sum(0) + pairs.sum(1) - pairs.diagonal()).clamp(min=1)
