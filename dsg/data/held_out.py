"""The held-out portraits as evaluation data: no files, no download."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dsg.data.base import EvaluationData
from dsg.data.examples import LABEL, PROMPT, Example, Value
from dsg.data.portraits import CLASSES, HELD_OUT_START, caption, render
from dsg.errors import UserError


class HeldOutPortraits(EvaluationData):
    """Portraits that no embedded score model ever saw, 64x64 RGB, with their class labels or captions.

    Args:
        first: index of the first picture among the held-out ones, at least 0.
        limit: how many pictures.
        labels: give the class label to the model as its condition; otherwise it is unconditional.
        captions: give the caption, as the column `prompt`, to a model that reads texts.
        samples_per_image: K ≥ 1 samples of every image's one measurement.
        batch_size: images a network evaluation; without influence on results.
        num_workers: processes that read ahead; without influence on results.
    """

    def __init__(
        self,
        first: int = 0,
        limit: int = 64,
        labels: bool = False,
        captions: bool = False,
        samples_per_image: int = 1,
        batch_size: int = 16,
        num_workers: int = 0,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size, num_workers)
        if first < 0:
            raise UserError(f"data.first: must be at least 0, got {first}")
        self.image_shape = (3, 64, 64)
        self.first = HELD_OUT_START + first
        self.count = limit
        self.labels = labels
        self.captions = captions

    def image_ids(self) -> Sequence[str]:
        return [f"{self.first + i:08d}" for i in range(self.count)]

    def largest_label(self) -> int | None:
        return len(CLASSES) - 1 if self.labels else None

    def columns(self) -> frozenset[str]:
        return super().columns() | (frozenset({PROMPT}) if self.captions else frozenset())

    def load(self, image_id: str) -> Example:
        portrait = render(int(image_id))
        columns: dict[str, Value] = {LABEL: portrait.label} if self.labels else {}
        if self.captions:
            columns[PROMPT] = caption(int(image_id)).text
        return Example(torch.from_numpy(portrait.image), columns)
