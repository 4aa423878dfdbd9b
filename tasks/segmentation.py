"""A picture whose parts are where they were asked to be."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from dsg.data.examples import IMAGE, Examples
from dsg.errors import UserError
from dsg.types import Image, PerSample
from tasks.base import Measurement
from tasks.feature import FeatureTask
from tasks.features.distance import CrossEntropy, Distance
from tasks.features.label_maps import coloured, mean_iou
from tasks.networks.trial import answer_to_grey
from tasks.operators import Operator


class Segmentation(FeatureTask):
    """A picture that a network cuts into the parts that the reference says:

        L(x̂, ref) = −mean over pixels of log softmax(f(x̂))[c],   c = argmax f(ref), or the given label map

    as Universal Guidance and DiffRGD have it. FreeDoM's is the `Norm` of the difference of logits, which needs a
    reference picture. Measure the result with another network: a sampler can fool the one that it follows.

    Args:
        network: f, images (B,C,H,W) in [−1, 1] → logits (B,K,h,w), such as `tasks.networks.bisenet.BiSeNet`; null is
            the portraits' guide.
        distance: d; the cross-entropy by default.
        reference: the data's column of references: pictures, of which `image` is the evaluated image itself, or label
            maps, whole numbers (B,H,W). Those of another size than the logits are brought to it by nearest neighbours.

    Raises:
        UserError: before the first sample, for a network that does not fit the images or gives no logits, and data
            without a reference; for labels beyond the network's classes, and label maps with another distance.
    """

    def __init__(
        self, network: nn.Module | None = None, distance: Distance | None = None, reference: str = IMAGE
    ) -> None:
        if network is None:
            from dsg.models.portraits.segmentation import PortraitsSegmentation

            network = PortraitsSegmentation("guide")
        super().__init__(network, distance if distance is not None else CrossEntropy(), reference)
        self._answers: dict[tuple[int, ...], tuple[int, ...]] = {}  # image's shape → that of its logits

    def check(self, shape: tuple[int, ...]) -> None:
        super().check(shape)
        self._logits(shape)

    def _logits(self, shape: tuple[int, ...]) -> Tensor:
        """What it answers to two grey images of `shape` (C,H,W), (2,K,h,w)."""
        logits = answer_to_grey(self.network, shape, "task.network", "take a network of such images")
        if logits.ndim != 4 or logits.shape[1] < 2:
            raise UserError(
                f"task.network: {type(self.network).__name__} must answer two images with logits (2, classes, height, "
                f"width), got {tuple(logits.shape)}; take a segmentation network"
            )
        return logits

    def target(self, examples: Examples, operator: Operator) -> Tensor:
        reference = examples.tensor(self.reference)
        if reference.is_floating_point():
            return super().target(examples, operator)
        if not isinstance(self.distance, CrossEntropy):
            raise UserError(
                f"task.distance: {type(self.distance).__name__} compares logits, and column {self.reference} of the "
                "data has labels; take CrossEntropy, or a column of pictures"
            )
        return self._labels(reference, self._shape(examples))

    def _shape(self, examples: Examples) -> tuple[int, ...]:
        return (3, *self.size(examples)) if examples.images is None else tuple(examples.images.shape[1:])

    def _labels(self, maps: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Label maps (B,H,W) of the logits' size. Raises UserError for labels beyond the classes."""
        assert isinstance(self.distance, CrossEntropy)
        if maps.ndim != 3:
            raise UserError(
                f"data: column {self.reference} must be label maps (height, width), got {tuple(maps.shape[1:])}"
            )
        if shape not in self._answers:
            self._answers[shape] = tuple(self._logits(shape).shape[1:])
        classes, *size = self._answers[shape]
        known = ((maps >= 0) & (maps < classes)) | (maps == self.distance.ignore)
        if not known.all():
            raise UserError(
                f"data: column {self.reference} has the label {int(maps[~known][0])}, and "
                f"{type(self.network).__name__} has the classes 0 to {classes - 1} (and {self.distance.ignore} for "
                "none); take a network of those classes"
            )
        return functional.interpolate(maps[:, None].float(), size, mode="nearest-exact")[:, 0].long()

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`mean_iou`, intersection over union of the parts, the mean over the classes that the reference has."""
        logits = measurement.operator.forward(samples)
        ignore = self.distance.ignore if isinstance(self.distance, CrossEntropy) else None
        return {"mean_iou": mean_iou(logits.argmax(1), _labels_of(measurement.y), logits.shape[1], ignore)}

    def show(self, examples: Examples, target: Tensor, operator: Operator) -> Image:
        """The parts, a colour a class."""
        return coloured(_labels_of(target))


def _labels_of(target: Tensor) -> Tensor:
    return target.argmax(1) if target.is_floating_point() else target
