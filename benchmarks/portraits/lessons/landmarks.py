"""Points, in pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.portraits.learning import mixed
from benchmarks.portraits.lessons.base import Lesson, answers
from benchmarks.portraits.truths import Truths
from dsg.data.portraits import LANDMARKS
from dsg.models.portraits.landmarks import PortraitsLandmarks


class LandmarksLesson(Lesson):
    """Mean distance of the points, in pixels."""

    twin = PortraitsLandmarks

    def loss(self, generator: torch.Generator) -> Tensor:
        rows = self.rows(generator)
        target = torch.from_numpy(self.truths.landmarks[rows])
        with mixed(torch.device("cpu")):
            points = self.network(self.seen(rows, generator))
        return distances(points, target).mean()

    @staticmethod
    def quality(network: Any, truths: Truths) -> dict[str, Any]:
        """Mean error in pixels, of all points and of each, and the error that one picture in twenty exceeds."""
        off = distances(answers(network, truths), torch.from_numpy(truths.landmarks[:]))
        each = {name: round(value, 3) for name, value in zip(LANDMARKS, off.mean(0).tolist(), strict=True)}
        return {
            "mean_error_in_pixels": round(float(off.mean()), 3),
            "error_in_pixels": each,
            "picture_error_at_95_percent": round(float(off.mean(1).quantile(0.95)), 3),
        }


def distances(points: Tensor, truth: Tensor) -> Tensor:
    """Of points (B,18) to true ones (B,9,2): (B,9), in pixels; a millionth is added so that 0 has a gradient."""
    return ((points.unflatten(1, (-1, 2)) - truth).square().sum(2) + 1e-6).sqrt()
