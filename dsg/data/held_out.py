"""The held-out portraits as evaluation data: no files, no download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from dsg.data.base import BatchSize, EvaluationData
from dsg.data.examples import LABEL, LANDMARKS, PROMPT, SEGMENTATION, STYLE, VARIATION, Example, Value
from dsg.data.portraits import CLASSES, HELD_OUT_START, Portrait, caption, render
from dsg.data.portraits.attributes import IDENTITY_KINDS, VARIATION_KINDS, class_label, draw_traits
from dsg.errors import UserError

TRUTHS = (VARIATION, STYLE, SEGMENTATION, LANDMARKS)
STYLE_OFFSET = 250_000  # far beyond the pictures that anybody evaluates together


class HeldOutPortraits(EvaluationData):
    """Portraits that no embedded network ever saw, 64x64 RGB, with class labels, captions and what is true of them.

    Args:
        first: index of the first picture among the held-out ones, at least 0.
        limit: how many pictures.
        labels: give the class label to the model as its condition; otherwise it is unconditional.
        captions: give the caption, as the column `prompt`, to a model that reads texts.
        columns: what else is known of each picture: `variation`, the same person in another pose, expression, light and
            place (3,64,64); `style`, a picture of another person (3,64,64); `segmentation`, indices into
            `dsg.data.portraits.SEGMENTS` (64,64) int64; `landmarks`, x and y in pixels (9,2).
        samples_per_image: K ≥ 1 samples of every image's one measurement.
        batch_size: images a network evaluation, or `auto`: as many as the device's memory takes; without influence on
            results.
        num_workers: processes that read ahead; without influence on results.

    Raises:
        UserError: for a negative `first`, and for columns that there are not.
    """

    def __init__(
        self,
        first: int = 0,
        limit: int = 64,
        labels: bool = False,
        captions: bool = False,
        columns: Sequence[str] = (),
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
        self.image_shape = (3, 64, 64)
        self.first = HELD_OUT_START + first
        self.count = limit
        self.labels = labels
        self.captions = captions
        self.truths = frozenset(columns)

    def image_ids(self) -> Sequence[str]:
        return [f"{self.first + i:08d}" for i in range(self.count)]

    def largest_label(self) -> int | None:
        return len(CLASSES) - 1 if self.labels else None

    def cell_columns(self) -> Mapping[str, Mapping[str, str]]:
        """`label`, the class's name, and each trait that is one of a few kinds (hair, hat, background, ...)."""
        traits = {image_id: draw_traits(int(image_id)) for image_id in self.evaluated_ids()}
        kinds = {name: {i: getattr(t, name) for i, t in traits.items()} for name in (*IDENTITY_KINDS, *VARIATION_KINDS)}
        return {LABEL: {image_id: CLASSES[class_label(t)] for image_id, t in traits.items()}, **kinds}

    def columns(self) -> frozenset[str]:
        return super().columns() | (frozenset({PROMPT}) if self.captions else frozenset()) | self.truths

    def load(self, image_id: str) -> Example:
        index = int(image_id)
        portrait = render(index)
        columns: dict[str, Value] = {LABEL: portrait.label} if self.labels else {}
        if self.captions:
            columns[PROMPT] = caption(index).text
        columns |= {name: _truth(name, index, portrait) for name in TRUTHS if name in self.truths}
        return Example(torch.from_numpy(portrait.image), columns)


def _truth(column: str, index: int, portrait: Portrait) -> torch.Tensor:
    if column == VARIATION:
        return torch.from_numpy(render(index, variation=1).image)
    if column == STYLE:
        return torch.from_numpy(render(index + STYLE_OFFSET).image)
    if column == SEGMENTATION:
        return torch.from_numpy(portrait.segmentation).long()
    return torch.from_numpy(portrait.landmarks)
