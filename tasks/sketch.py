"""A picture that would be drawn as the reference would be."""

from __future__ import annotations

from torch import Tensor, nn

from dsg.data.examples import IMAGE, Examples
from dsg.types import Image, PerSample, per_sample_norm
from tasks.base import Measurement
from tasks.feature import FeatureTask
from tasks.features.distance import Distance
from tasks.networks.sobel import SobelSketch
from tasks.operators import Operator


class Sketch(FeatureTask):
    """A picture with the reference's line drawing:

        L(x̂, ref) = ‖f(x̂) − f(ref)‖₂

    Args:
        network: f, images (B,C,H,W) in [−1, 1] → drawings (B,1,h,w) in [−1, 1], such as
            `tasks.networks.anime2sketch.Anime2Sketch`, which FreeDoM asks; null is a `SobelSketch`, without weights.
        distance: d; the norm of the difference by default.
        reference: the data's column of references: `image` is the evaluated image itself.

    Raises:
        UserError: before the first sample, for a network that does not fit the images, and data without a reference.
    """

    def __init__(
        self, network: nn.Module | None = None, distance: Distance | None = None, reference: str = IMAGE
    ) -> None:
        super().__init__(network if network is not None else SobelSketch(), distance, reference)

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`sketch_distance`, the norm of the difference of the drawings, as the papers' tables have it."""
        return {"sketch_distance": per_sample_norm(measurement.operator.forward(samples) - measurement.y)}

    def show(self, examples: Examples, target: Tensor, operator: Operator) -> Image:
        """The reference's drawing."""
        return target.clamp(-1, 1).expand(-1, 3, -1, -1)
