"""What the data gives: a clean state, where there is one, and named columns that say something of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dsg.errors import UserError

IMAGE = "image"  # the name that tasks call the state by
LABEL = "label"  # the column of class labels
MEASUREMENT = "measurement"  # y, where somebody has measured it already
MASK = "mask"  # what that was measured through: 1 where a pixel is observed, 0 where it is dropped
PROMPT = "prompt"  # the column of texts that describe the images
NEGATIVE_PROMPT = "negative_prompt"  # and of those that describe what they are not
KERNEL = "kernel"  # the blur that it was measured through
VARIATION = "variation"  # the same person in a second image, which differs in everything else
STYLE = "style"  # a second image, of something else
SEGMENTATION = "segmentation"  # what each pixel shows: classes (H,W), int64
LANDMARKS = "landmarks"  # points (N,2), x and y in pixels whose centres are whole numbers

Value = Tensor | int | float | str


def measured_unseen(columns: Set[str]) -> bool:
    """Whether data of these columns gives measurements without the images that were measured."""
    return MEASUREMENT in columns and IMAGE not in columns


@dataclass(frozen=True)
class Example:
    """One example.

    Args:
        image: (C,H,W) float32 in [−1, 1], or another clean state; None where the data has columns alone.
        columns: what else is known, by name: `label` (int), a prompt (str), a second image or a mask (Tensor), ...
    """

    image: Tensor | None
    columns: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Examples:
    """A batch of examples: what a task measures, and what a score model makes its condition from.

    Args:
        images: (B,C,H,W) float32 in [−1, 1], or other clean states, (B, *shape); None where there are none.
        columns: by name a tensor of B rows, or a list of B texts. `image` is no column's name.
    """

    images: Tensor | None
    columns: Mapping[str, Tensor | list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Examples:
        """The batch of `examples`, which all have the same columns. Raises UserError if some alone have an image."""
        if not examples:
            return cls(None)
        images = [example.image for example in examples if example.image is not None]
        if images and len(images) < len(examples):
            raise UserError("data: some examples have an image and others none; give all one, or take it away")
        names = examples[0].columns
        columns = {name: _column([example.columns[name] for example in examples]) for name in names}
        return cls(torch.stack(images) if images else None, columns)

    def __len__(self) -> int:
        return next((len(values) for values in (self.images, *self.columns.values()) if values is not None), 0)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> frozenset[str]:
        """What there is of every example, `image` among them where they have one."""
        return frozenset(self.columns) | (frozenset() if self.images is None else frozenset({IMAGE}))

    def __getitem__(self, name: str) -> Tensor | list[str]:
        """A column; `image` is the clean states. Raises KeyError if there is none."""
        if name == IMAGE and self.images is not None:
            return self.images
        return self.columns[name]

    def tensor(self, name: str) -> Tensor:
        """A column of numbers or images, (B, ...). Raises UserError if there is none, or it is of texts."""
        values = self.images if name == IMAGE else self.columns.get(name)
        if not isinstance(values, Tensor):
            has = "no such column" if values is None else f"texts there; images are in a column {name}_file_name"
            raise UserError(f"data: numbers or images are asked of {name}, and the examples have {has}")
        return values

    def to(self, device: torch.device | str) -> Examples:
        """The same examples on another device."""
        columns = {name: v.to(device) if isinstance(v, Tensor) else v for name, v in self.columns.items()}
        return Examples(None if self.images is None else self.images.to(device), columns)


def _column(values: Sequence[Value]) -> Tensor | list[str]:
    tensors = [value for value in values if isinstance(value, Tensor)]
    if tensors:
        return torch.stack(tensors)
    texts = [value for value in values if isinstance(value, str)]
    return texts or torch.tensor(values)
