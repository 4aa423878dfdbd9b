"""Whether two sets of images have a picture in common, under whatever names."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from dsg.data.base import EvaluationData
from dsg.errors import UnreadableImage, UserError

THUMBNAIL = 8
ONE_GREY_LEVEL = 2 / 255


class Looks:
    """What each image of some data looks like: enough to know it again in another file format and by another name.

    A picture is known by its means over 8x8 areas, another state by itself. Images that cannot be read are left out,
    and so are examples without an image.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[EvaluationData, dict[str, Tensor]]] = {}

    def of(self, data: EvaluationData) -> dict[str, Tensor]:
        """Image id → (n,); each data is read once."""
        if id(data) not in self._known:
            self._known[id(data)] = data, _read(data)
        return self._known[id(data)][1]

    def in_common(self, evaluated: EvaluationData, other: EvaluationData) -> list[tuple[str, str]]:
        """(id in `evaluated`, id in `other`) of what is the same picture: its areas differ by less than a grey level in
        the mean.
        """
        ours, theirs = self.of(evaluated), self.of(other)
        found = []
        if ours and theirs and next(iter(ours.values())).shape == next(iter(theirs.values())).shape:
            names, looks = list(ours), torch.stack(list(ours.values()))
            for name, look in theirs.items():
                distance = (looks - look).abs().mean(dim=1)
                found += [(names[i], name) for i in (distance < ONE_GREY_LEVEL).nonzero().flatten().tolist()]
        return found


def _read(data: EvaluationData) -> dict[str, Tensor]:
    looks = {}
    for image_id in dict(data.keys()):
        try:
            image = data.load(image_id).image
        except (OSError, UnreadableImage, UserError):  # it fails when it is evaluated, and is counted there
            continue
        if image is not None:
            is_picture = image.ndim == 3 and min(image.shape[1:]) > THUMBNAIL
            looks[image_id] = (adaptive_avg_pool2d(image, THUMBNAIL) if is_picture else image).flatten()
    return looks
