"""Samples that are pictures: a PNG each, and one of each measurement."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dsg.data.image_file import encode_png, to_uint8
from dsg.data.media.base import Medium, Pictured
from dsg.types import Image


class Pictures(Medium):
    """(C,H,W) in [−1, 1], C = 1 or 3: clipped to 8 bits and never rescaled."""

    suffix = ".png"
    is_picture = True

    def encode(self, samples: Tensor) -> bytes:
        return encode_png(to_uint8(samples[0]))

    def as_kept(self, samples: Tensor) -> Tensor:
        return to_uint8(samples).float() / 127.5 - 1

    def preview(self, states: Tensor) -> Image:
        return states

    def preview_measurement(self, task: Pictured, measurement: Any) -> Image:
        return task.picture(measurement)

    def files(self, image_id: str, sample: int, whole_problem: bool = False) -> list[str]:
        measurement = [f"measurements/{image_id}.png"] if sample == 0 else []
        return [*super().files(image_id, sample, whole_problem), *measurement]
