"""Whether two sets of images have a picture in common, under whatever names."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from dsg.data.base import EvaluationData
from dsg.data.examples import MEASUREMENT
from dsg.errors import UnreadableImage, UserError

THUMBNAIL = 8
ONE_GREY_LEVEL = 2 / 255
ALIKE = 0.95


class Looks:
    """What each image of some data looks like: enough to know it again in another file format and by another name.

    Of measurements without their images it is the measurements. What cannot be read is left out.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[EvaluationData, dict[str, Tensor]]] = {}

    def of(self, data: EvaluationData) -> dict[str, Tensor]:
        """Image id → (n,), the means over 8x8 areas of a picture, another state as it is; each data is read once."""
        if id(data) not in self._known:
            images = {image_id: _image(data, image_id) for image_id in dict(data.keys())}
            looks = {image_id: _look(image) for image_id, image in images.items() if image is not None}
            self._known[id(data)] = data, looks
        return self._known[id(data)][1]

    def in_common(self, evaluated: EvaluationData, other: EvaluationData) -> list[tuple[str, str]]:
        """(id in `evaluated`, id in `other`) of what is the same picture: its areas differ by less than a grey level in
        the mean, and so do its pixels, or they go up and down together.
        """
        ours, theirs = self.of(evaluated), self.of(other)
        found = []
        if ours and theirs and next(iter(ours.values())).shape == next(iter(theirs.values())).shape:
            names, looks = list(ours), torch.stack(list(ours.values()))
            for name, look in theirs.items():
                distance = (looks - look).abs().mean(dim=1)
                suspects = [names[i] for i in (distance < ONE_GREY_LEVEL).nonzero().flatten().tolist()]
                found += [(own, name) for own in suspects if _alike(_image(evaluated, own), _image(other, name))]
        return found


def _image(data: EvaluationData, image_id: str) -> Tensor | None:
    try:
        example = data.load(image_id)
    except (OSError, UnreadableImage, UserError):  # it fails when it is evaluated, and is counted there
        return None
    if example.image is not None:
        return example.image
    measured = example.columns.get(MEASUREMENT)
    return measured if isinstance(measured, Tensor) else None


def _look(image: Tensor) -> Tensor:
    is_picture = image.ndim == 3 and min(image.shape[1:]) > THUMBNAIL
    return (adaptive_avg_pool2d(image, THUMBNAIL) if is_picture else image).flatten().float()


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    """Small differences in the dark tell pictures apart too, if they are not those of a file format."""
    if one is None or other is None or one.shape != other.shape:
        return False
    if (one - other).abs().max() < ONE_GREY_LEVEL:
        return True
    a, b = (x.flatten().double() - x.double().mean() for x in (one, other))
    return bool((a * b).sum() > ALIKE * a.norm() * b.norm())
