"""A picture in the style of another one."""

from __future__ import annotations

import torch
from torch import nn

from dsg.data.examples import IMAGE
from dsg.errors import UserError
from dsg.types import Image, PerSample, per_sample_norm
from tasks.base import Measurement
from tasks.feature import FeatureTask
from tasks.features.distance import Distance
from tasks.networks.gram import Gram


class Style(FeatureTask):
    """A picture whose features come together as those of a reference do:

        L(x̂, ref) = s ‖G(x̂) − G(ref)‖_F,   G = TᵀT

    with T (N,C) what a layer says at N places (`tasks.networks.gram`); of CLIP the tokens without the class token.
    FreeDoM (2303.09833), DSG (2402.03201) and MPGD take ViT-B/16 after the third block and s = 1; TFG and DiffRGD take
    Hugging Face's `hidden_states[2]`, which is after the second, and s = 0.01. The result is compared with nothing.

    Args:
        network: images in [−1, 1] → anything, such as `tasks.networks.clip.CLIP`, frozen here; null is the portraits'
            guide.
        layer: a number of blocks of CLIP, 3 as in DSG's code; or of any network the name of a module in it. Null is
            what the network calls its `style_layer`: 3 of CLIP, `body.5` of the portraits' classifiers.
        scale: s > 0.
        reference: the data's column of references: `image` is the evaluated image itself.
        distance: what stands for the norm of the difference, of `tasks.features`.

    Raises:
        UserError: for a layer that the network does not have, or a scale that is not above 0; before the first sample,
            for a layer without places, a network that does not fit the images, and data without that column.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        layer: int | str | None = None,
        scale: float = 1.0,
        reference: str = IMAGE,
        distance: Distance | None = None,
    ) -> None:
        if not 0.0 < scale < float("inf"):
            raise UserError(f"scale: must be above 0, got {scale}")
        if network is None:
            from dsg.models.portraits.classifier import PortraitsClassifier

            network = PortraitsClassifier("guide")
        chosen = getattr(network, "style_layer", None) if layer is None else layer
        if chosen is None:
            raise UserError(f"layer: {type(network).__name__} does not say which is of style; name one of its modules")
        super().__init__(Gram(network, chosen), distance, reference)
        self.scale = scale

    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        return self.scale * super().loss(clean_estimate, measurement)

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """`style_distance`, L without s; `style_error`, ‖G(x) − G(ref)‖_F/‖G(ref)‖_F, in no network's own units."""
        seen, asked = measurement.operator.forward(samples), measurement.y
        relative = per_sample_norm(seen - asked) / per_sample_norm(asked).clamp(min=torch.finfo(asked.dtype).tiny)
        return {"style_distance": self.distance(seen, asked), "style_error": relative}
