"""A picture of the same person."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from dsg.data.examples import IMAGE
from dsg.types import Image, PerSample, at_least_float32
from tasks.base import Measurement
from tasks.face import FaceTask
from tasks.features.distance import Distance


class Identity(FaceTask):
    """A face that a network takes for the reference's, as DSG and FreeDoM ask for:

        L(x̂, ref) = ‖f(x̂) − f(ref)‖₂

    with f a vector of length 1. Measure the result with another network: a sampler can fool the one that it follows.

    Args:
        network: f, images (B,C,H,W) in [−1, 1] → (B,D), such as `tasks.networks.arcface.ArcFace`; null is the
            portraits' guide.
        distance: d; the norm of the difference by default.
        reference: the data's column of references: `image` is the evaluated image itself.
        face_box: where the face is, for all or the name of a column (`tasks.face`); ArcFace's own window by default,
            which is of aligned faces. With a box give it `prepare: [Pool(112)]`.

    Raises:
        UserError: before the first sample, for a network that does not fit the images, data without a reference, and a
            window beyond the picture.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        distance: Distance | None = None,
        reference: str = IMAGE,
        face_box: str | Sequence[float] | None = None,
    ) -> None:
        if network is None:
            from dsg.models.portraits.identity import PortraitsIdentity

            network = PortraitsIdentity("guide")
        super().__init__(network, distance, reference, face_box)

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`identity_similarity`, the cosine of the two vectors, in [−1, 1]."""
        found = at_least_float32(measurement.operator.forward(samples)).flatten(1)
        return {"identity_similarity": torch.cosine_similarity(found, at_least_float32(measurement.y).flatten(1))}
