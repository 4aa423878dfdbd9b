"""Nothing is known of an image but its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dsg.data.examples import IMAGE, LABEL, Examples, Value
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.errors import UserError
from dsg.types import Image, PerSample
from tasks.base import Measurement, Task
from tasks.card import card
from tasks.networks.classifier import count_classes, log_probabilities
from tasks.operators import Operator


@dataclass(frozen=True)
class Classify(Operator):
    """A(x) = log p(· | x), (B,C,H,W) → (B,K)."""

    classifier: nn.Module

    def forward(self, x: Image) -> Tensor:
        return log_probabilities(self.classifier, x)


class ClassLabel(Task):
    """An image of the class c, by a classifier of clean images:

        L(x̂, c) = −log p(c | x̂)

    The classifier sees clean estimates alone, so that one for noisy states is not needed (FreeDoM, 2303.09833, eq. 7;
    Dhariwal & Nichol's needs one). y is the target class of each image, int64 (B,); the image itself is not looked at.

    Args:
        classifier: images (B,C,H,W) in [−1, 1] → logits (B,K), frozen here; null is the portraits' guide. Measure the
            result with another one: a sampler can fool the classifier that it follows.
        target: the class 0 ≤ c < K of every image; `drawn`: uniformly, from each image's own stream; or `label`: that
            of the data, which a model of classes hears too.

    Raises:
        UserError: for another target; before the first sample, for a classifier that does not fit the images, and where
            the data has no labels or, as far as that is known before, other classes.
    """

    compared_with: str | None = None

    def __init__(self, classifier: nn.Module | None = None, target: int | Literal["drawn", "label"] = "drawn") -> None:
        if target not in ("drawn", "label") and (isinstance(target, str) or target < 0):
            raise UserError(f"target: must be a class, 0 or above, drawn, or label, got {target!r}")
        if classifier is None:
            from dsg.models.portraits.classifier import PortraitsClassifier

            classifier = PortraitsClassifier("guide")
        self.classifier = classifier.eval().requires_grad_(False)
        self.target = target
        self._classes: int | None = None

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The images, for their shape alone, where a class of so many is drawn; or their labels."""
        return frozenset({"drawn": {IMAGE}, "label": {LABEL}}.get(str(self.target), ()))

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.classifier,)

    def num_classes(self, shape: tuple[int, ...]) -> int:
        """K of the classifier for images of `shape` (C,H,W). Raises UserError if it does not fit them."""
        return count_classes(self.classifier, shape, "task.classifier")

    def check(self, shape: tuple[int, ...]) -> None:
        classes = self._classes = self.num_classes(shape)
        if not isinstance(self.target, str) and self.target >= classes:
            raise UserError(
                f"task.target: {type(self.classifier).__name__} has the classes 0 to {classes - 1}, got {self.target}"
            )

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        labels = known(LABEL) if self.target == "label" else {}
        for image_id, label in labels.items():
            if self._classes is not None and not 0 <= int(label) < self._classes:  # type: ignore[arg-type]
                name = type(self.classifier).__name__
                raise UserError(
                    f"data.labels: {image_id} has the class {label}, and {name} the classes 0 to {self._classes - 1}; "
                    "take a classifier of the same classes"
                )

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        return Measurement(self._targets(examples, streams), Classify(self.classifier))

    def _targets(self, examples: Examples, streams: NoiseStreams) -> Tensor:
        if self.target == "label":
            return examples.tensor(LABEL).to(streams.device)
        if self.target == "drawn":
            classes = self.num_classes(tuple(examples.tensor(IMAGE).shape[1:]))
            drawn = [int(generator.integers(classes)) for generator in streams.generators(Purpose.OPERATOR)]
        else:
            drawn = [self.target] * len(streams)
        return torch.tensor(drawn, dtype=torch.long, device=streams.device)

    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        return -measurement.operator.forward(clean_estimate).gather(1, measurement.y[:, None]).flatten()

    def picture(self, measurement: Measurement) -> Image:
        """A grey card with the number of the class on it, (B,3,64,64)."""
        return torch.stack([card(f"class\n{int(target)}") for target in measurement.y]).to(measurement.y.device)
