"""A picture of what a text says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from dsg.data.examples import PROMPT, Examples, Value
from dsg.errors import UserError
from dsg.models.text.prompts import Prompts
from dsg.types import Image, PerSample
from tasks.base import Measurement
from tasks.card import card
from tasks.feature import FeatureTask
from tasks.features.distance import CosineDistance, Distance
from tasks.networks.image_text import ImageText, check_texts, needs_texts
from tasks.networks.trial import answer_to_grey
from tasks.operators import Operator

_OPTION, _SIDE = "model.task.prompt", 128


class Text(FeatureTask):
    """A picture of a text, as a network sees both:

        L(x̂, c) = d(f(x̂), g(c))

    with f of pictures and g of texts in one space, (B,D). FreeDoM (2303.09833, Face-GD) takes CLIP and d = ‖f − g‖₂,
    of features that nobody normalised, so that it is no cosine. y is g(c); the image itself is not looked at.

    Args:
        network: f and g, as `tasks.networks.clip.CLIP`, frozen here; null is the portraits' guide. Measure the result
            with another one: a sampler can fool the network that it follows.
        prompt: c of every image; null takes each one's from the column.
        prompt_column: of the data.
        distance: d, of `tasks.features`; the norm of the difference by default, CosineDistance is 1 − cos.

    Raises:
        UserError: for a network that takes no texts; before the first sample, for a text that is empty or longer than
            the network takes, data without the column, and a network that does not fit the images. Of data that do not
            tell their texts before they are loaded, when the text comes up.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        prompt: str | None = None,
        prompt_column: str = PROMPT,
        distance: Distance | None = None,
    ) -> None:
        if network is None:
            from dsg.models.portraits.image_text import PortraitsImageText

            network = PortraitsImageText("guide")
        self.image_text: ImageText = needs_texts(network, "task.network")
        super().__init__(network, distance, prompt_column)
        self.prompts = Prompts(_OPTION, prompt, prompt_column)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The column of texts, unless one is for all."""
        return self.prompts.columns

    def check(self, shape: tuple[int, ...]) -> None:
        told = answer_to_grey(self.network, shape, "task.network", "take a network of such images")
        if told.ndim != 2:
            raise UserError(
                f"task.network: {type(self.network).__name__} must answer two images with features (2,D), as it does "
                f"texts, got {tuple(told.shape)}"
            )

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        check_texts(self.image_text, self.prompts.known(known))

    def target(self, examples: Examples, operator: Operator) -> Tensor:
        texts = self.prompts.of(examples)
        check_texts(self.image_text, {f"the text {text[:40]!r}": text for text in texts})
        return self.image_text.text_features(texts)

    def show(self, examples: Examples, target: Tensor, operator: Operator) -> Image:
        """A grey card with each text on it, (B,3,128,128)."""
        return torch.stack([card(text, _SIDE) for text in self.prompts.of(examples)]).to(target.device)

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`text_score`, the cosine of f(x) and g(c), in [−1, 1]."""
        return {"text_score": 1.0 - CosineDistance()(measurement.operator.forward(samples), measurement.y)}
