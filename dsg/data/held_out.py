"""The held-out portraits as evaluation data: no files, no download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch

from dsg.data.base import BatchSize, EvaluationData
from dsg.data.examples import LABEL, LANDMARKS, PROMPT, SEGMENTATION, STYLE, VARIATION, Example, Value
from dsg.data.portraits import CLASSES, HELD_OUT_START, UNSEEN, Portrait, caption, render
from dsg.data.portraits.attributes import IDENTITY_KINDS, VARIATION_KINDS, class_label, draw_traits
from dsg.data.portraits.long_tail import picture_indices
from dsg.data.portraits.unseen import unseen
from dsg.errors import UserError

TRUTHS = (VARIATION, STYLE, SEGMENTATION, LANDMARKS)
STYLE_OFFSET = 250_000  # far beyond the pictures that anybody evaluates together


class HeldOutPortraits(EvaluationData):
    """Portraits that no embedded network ever saw, 64x64 RGB, with class labels, captions and what is true of them.

    Args:
        first: index of the first picture among the held-out ones, at least 0.
        even_classes: as many pictures of each class, the first ones of each; otherwise classes come as often as they
            are drawn, from 0.22 of the pictures to 0.06. `limit` has to be a multiple of the eight classes.
        limit: how many pictures.
        labels: give the class label to the model as its condition; otherwise it is unconditional.
        captions: give the caption, as the column `prompt`, to a model that reads texts.
        columns: what else is known of each picture: `variation`, the same person in another pose, expression, light and
            place (3,64,64); `style`, a picture of another person (3,64,64); `segmentation`, indices into
            `dsg.data.portraits.SEGMENTS` (64,64) int64; `landmarks`, x and y in pixels (9,2).
        unseen: worlds that no embedded network was trained on, some of `dyes` (colours of hair), `lights` and `poses`:
            the same people and classes under the same ids, so that runs are pairs. No captions: they have no words.
        samples_per_image: K ≥ 1 samples of every image's one measurement.
        batch_size: images a network evaluation, or `auto`: as many as the device's memory takes; without influence on
            results.
        num_workers: processes that read ahead; without influence on results.

    Raises:
        UserError: for a negative `first`, for columns and worlds that there are not, for captions of unseen worlds, and
            for a `limit` that cannot be even.
    """

    def __init__(
        self,
        first: int = 0,
        limit: int = 64,
        even_classes: bool = False,
        labels: bool = False,
        captions: bool = False,
        columns: Sequence[str] = (),
        unseen: Sequence[str] = (),
        samples_per_image: int = 1,
        batch_size: BatchSize = 16,
        num_workers: int = 0,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size, num_workers)
        if first < 0:
            raise UserError(f"data.first: must be at least 0, got {first}")
        if unknown := [name for name in columns if name not in TRUTHS]:
            known = ", ".join(TRUTHS)
            raise UserError(
                f"data.columns: there is no {unknown[0]!r}; take some of {known} (`labels` and `captions` are options)"
            )
        if even_classes and limit % len(CLASSES):
            raise UserError(
                f"data.even_classes: {limit} pictures cannot be {len(CLASSES)} classes of equal size; set data.limit "
                f"to a multiple of {len(CLASSES)}"
            )
        if unknown := [name for name in unseen if name not in UNSEEN]:
            raise UserError(f"data.unseen: there is no {unknown[0]!r}; take some of {', '.join(UNSEEN)}")
        if unseen and captions:
            raise UserError("data.captions: captions have no words for unseen worlds; leave captions or unseen out")
        self.image_shape = (3, 64, 64)
        self.first = HELD_OUT_START + first
        self.count = limit
        self.even_classes = even_classes
        self.labels = labels
        self.captions = captions
        self.truths = frozenset(columns)
        self.unseen = tuple(unseen)

    def image_ids(self) -> Sequence[str]:
        return [f"{index:08d}" for index in self._indices]

    @cached_property
    def _indices(self) -> Sequence[int]:
        if not self.even_classes:
            return range(self.first, self.first + self.count)
        each = (self.count // len(CLASSES),) * len(CLASSES)
        return picture_indices(self.first, each)[0].tolist()

    def known(self, column: str) -> Mapping[str, Value]:
        if column != LABEL or not self.labels:
            return {}
        return {image_id: class_label(draw_traits(int(image_id))) for image_id in self.evaluated_ids()}

    def largest_label(self) -> int | None:
        return len(CLASSES) - 1 if self.labels else None

    def cell_columns(self) -> Mapping[str, Mapping[str, str]]:
        """`label`, the class's name, and each trait that is one of a few kinds (hair, hat, background, ...)."""
        traits = {i: unseen(draw_traits(int(i)), self.unseen) for i in self.evaluated_ids()}
        kinds = {name: {i: getattr(t, name) for i, t in traits.items()} for name in (*IDENTITY_KINDS, *VARIATION_KINDS)}
        return {LABEL: {image_id: CLASSES[class_label(t)] for image_id, t in traits.items()}, **kinds}

    def columns(self) -> frozenset[str]:
        return super().columns() | (frozenset({PROMPT}) if self.captions else frozenset()) | self.truths

    def load(self, image_id: str) -> Example:
        index = int(image_id)
        portrait = render(index, worlds=self.unseen)
        columns: dict[str, Value] = {LABEL: portrait.label} if self.labels else {}
        if self.captions:
            columns[PROMPT] = caption(index).text
        columns |= {name: self._truth(name, index, portrait) for name in TRUTHS if name in self.truths}
        return Example(torch.from_numpy(portrait.image), columns)

    def _truth(self, column: str, index: int, portrait: Portrait) -> torch.Tensor:
        if column == VARIATION:
            return torch.from_numpy(render(index, 1, self.unseen).image)
        if column == STYLE:
            return torch.from_numpy(render(index + STYLE_OFFSET, worlds=self.unseen).image)
        if column == SEGMENTATION:
            return torch.from_numpy(portrait.segmentation).long()
        return torch.from_numpy(portrait.landmarks)
