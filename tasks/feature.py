"""A picture like a reference, as a frozen network sees it: the form of every loss that is a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dsg.data.examples import IMAGE, Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.types import Image, PerSample
from tasks.base import Measurement, Task
from tasks.features.distance import Distance, Norm
from tasks.features.preparation import Preparation, Prepared
from tasks.networks.trial import answer_to_grey, weights_like
from tasks.operators import Operator


@dataclass(frozen=True)
class Features(Operator):
    """A(x) = f(x), (B,C,H,W) → (B, ...): images get the weights' precision."""

    network: nn.Module

    def forward(self, x: Image) -> Tensor:
        return self.network(x.to(weights_like(self.network, x).dtype))


@dataclass(frozen=True)
class Asked(Measurement):
    """A measurement that is no picture itself.

    Args:
        shown: how what was asked looks, (B,3,h,w) in [−1, 1] of any size.
    """

    shown: Image


class FeatureTask(Task):
    """An image that a network f sees as it sees a reference:

        L(x̂, ref) = d(f(x̂), f(ref))

    y is what d keeps of f(ref), so the reference is asked once. The result is compared with nothing: an image that has
    the asked feature need not be the reference.

    Args:
        network: f, images (B,C,H,W) in [−1, 1] → features (B, ...), frozen here.
        distance: d; see `tasks.features`.
        reference: the data's column of references: `image` is the evaluated image itself.

    Raises:
        UserError: before the first sample, for a network that does not fit the images or answers with no numbers, and
            for data without that column.
    """

    compared_with: str | None = None

    def __init__(self, network: nn.Module, distance: Distance | None = None, reference: str = IMAGE) -> None:
        self.network = network.eval().requires_grad_(False)
        self.distance = distance if distance is not None else Norm()
        self.reference = reference

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The reference."""
        return frozenset({self.reference})

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.network,)

    def check(self, shape: tuple[int, ...]) -> None:
        if isinstance(self.network, Prepared):
            self.network.check(shape)
        answer_to_grey(self.network, shape, "task.network", "take a network of such images, or prepare them for it")

    @torch.no_grad()
    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        operator = self.operator(examples)
        target = self.target(examples, operator)
        return Asked(target, operator, self.show(examples, target, operator))

    def operator(self, examples: Examples) -> Operator:
        """f for these examples: the same one, unless a subclass looks at a part of each that the data names."""
        return Features(self.network)

    def target(self, examples: Examples, operator: Operator) -> Tensor:
        """y, what is kept of f(ref), (B, ...)."""
        return self.distance.target(operator.forward(examples.tensor(self.reference)))

    def show(self, examples: Examples, target: Tensor, operator: Operator) -> Image:
        """What was asked, as a picture (B,3,h,w) in [−1, 1]: here the reference."""
        return examples.tensor(self.reference).expand(-1, 3, -1, -1)

    def size(self, examples: Examples) -> tuple[int, int]:
        """H and W of the examples' pictures: the images', or else the references'."""
        picture = examples.images if examples.images is not None else examples.tensor(self.reference)
        return picture.shape[-2], picture.shape[-1]

    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        return self.distance(measurement.operator.forward(clean_estimate), measurement.y)

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`feature_distance`, d(f(x), f(ref))."""
        return {"feature_distance": self.loss(samples, measurement)}

    def picture(self, measurement: Measurement) -> Image:
        assert isinstance(measurement, Asked)  # of `measure`
        return measurement.shown


class Feature(FeatureTask):
    """A picture like a reference, as any frozen network sees it: L(x̂, ref) = d(f(p(x̂)), f(p(ref))).

    Args:
        network: f, any module (`class_path`), or `dsg.models.torchscript.TorchScript`.
        prepare: p, what happens to images in [−1, 1] before the network sees them, one after the other.
        distance: d, of `tasks.features`; the norm of the difference by default.
        reference: the data's column of references: `image` is the evaluated image itself.

    Raises:
        UserError: before the first sample, for a network that does not fit the images or answers with no numbers, a
            crop beyond the picture, and data without that column.
    """

    def __init__(
        self,
        network: nn.Module,
        prepare: Sequence[Preparation] = (),
        distance: Distance | None = None,
        reference: str = IMAGE,
    ) -> None:
        super().__init__(Prepared(network, prepare), distance, reference)
