"""A face whose eyes, nose and mouth are where they were asked to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from PIL import ImageDraw
from torch import Tensor, nn

from dsg.data.examples import IMAGE, Examples
from dsg.data.image_file import encode_image, from_uint8
from dsg.errors import UserError
from dsg.types import Image, PerSample, at_least_float32
from tasks.base import Measurement
from tasks.face import FaceTask
from tasks.features.distance import Distance
from tasks.features.points import from_pixels, to_pixels
from tasks.operators import Operator


class Landmarks(FaceTask):
    """A face with the reference's landmarks, by FreeDoM's loss:

        L(x̂, ref) = ‖f(x̂) − f(ref)‖₂

    f gives x and y of each point, in the network's own unit. The reference is a picture, or a column of points, (P,2)
    in pixels, of which the upper left one's centre is (0, 0).

    Args:
        network: f, images (B,C,H,W) in [−1, 1] → (B,2P); null is the portraits' guide. Where its numbers are no pixels
            it has `to_pixels` and `from_pixels`, as `tasks.networks.mobilefacenet.MobileFaceNet` has.
        distance: d; the norm of the difference by default.
        reference: the data's column of references: `image` is the evaluated image itself.
        face_box: where the face is, for all or the name of a column (`tasks.face`); null is the whole picture.
        reference_channels: FreeDoM's code reads the reference `bgr`, and the samples rgb: with `bgr` here it sees the
            same. The default is consistent.

    Raises:
        UserError: before the first sample, for a network that does not fit the images, data without a reference, and a
            window beyond the picture; for points of another number than the network's.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        distance: Distance | None = None,
        reference: str = IMAGE,
        face_box: str | Sequence[float] | None = None,
        reference_channels: Literal["rgb", "bgr"] = "rgb",
    ) -> None:
        if network is None:
            from dsg.models.portraits.landmarks import PortraitsLandmarks

            network = PortraitsLandmarks("guide")
        if reference_channels not in ("rgb", "bgr"):
            raise UserError(f"reference_channels: must be rgb or bgr, got {reference_channels!r}")
        super().__init__(network, distance, reference, face_box)
        self.reference_channels = reference_channels

    def target(self, examples: Examples, operator: Operator) -> Tensor:
        reference = examples.tensor(self.reference)
        if reference.ndim < 4:
            return self._given(examples, operator)
        if self.reference_channels == "bgr":
            reference = reference.flip(1)
        return self.distance.target(operator.forward(reference))

    def _given(self, examples: Examples, operator: Operator) -> Tensor:
        """y of points that the data has."""
        points = at_least_float32(examples.tensor(self.reference))
        points = points.reshape(len(points), -1, 2)
        if examples.images is None:
            raise UserError(f"data: the points in {self.reference} need the pictures' size; give data with images")
        expected = operator.forward(examples.images).shape[-1]
        if expected != points[0].numel():
            raise UserError(
                f"data: column {self.reference} has {points.shape[1]} points, and {type(self.network).__name__} finds "
                f"{expected // 2}; take a network of those points"
            )
        return from_pixels(self.network, points, operator, self.size(examples))

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`landmark_error`, mean distance of a point from where it was asked to be, in pixels of the sample."""
        size, operator = (samples.shape[-2], samples.shape[-1]), measurement.operator
        found, asked = (
            to_pixels(self.network, at_least_float32(features), operator, size)
            for features in (operator.forward(samples), measurement.y)
        )
        return {"landmark_error": (found - asked).norm(dim=2).mean(1)}

    def show(self, examples: Examples, target: Tensor, operator: Operator) -> Image:
        """The reference with its points on it; on grey where there are points alone."""
        reference, size = examples.tensor(self.reference), self.size(examples)
        if reference.ndim < 4:
            reference = target.new_zeros(len(target), 3, *size)
        points = to_pixels(self.network, target, operator, size)
        drawn = [_with_dots(picture, dots) for picture, dots in zip(reference, points.tolist(), strict=True)]
        return torch.stack(drawn).to(target.device)


def _with_dots(picture: Tensor, dots: list[list[float]]) -> Tensor:
    """(C,h,w) → (3,kh,kw), enlarged by k to 256 pixels or more, so that a dot hides little."""
    image = encode_image(picture).convert("RGB")
    k = max(1, -(-256 // min(image.size)))
    image = image.resize((k * image.width, k * image.height), resample=0)
    draw, radius = ImageDraw.Draw(image), max(image.size) / 100
    for x, y in dots:
        centre = (k * (x + 0.5), k * (y + 0.5))
        draw.circle(centre, radius, fill=(255, 40, 40), outline=(255, 255, 255))
    return from_uint8(np.asarray(image))
