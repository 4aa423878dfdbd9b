"""What an evaluation reads: examples with an id each. It works in a notebook as on the command line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Literal

from dsg.data.examples import IMAGE, LABEL, MEASUREMENT, Example, Value
from dsg.data.expected import Expected
from dsg.errors import UserError

Key = tuple[str, int]  # (image id, sample number)
BatchSize = int | Literal["auto"]


class EvaluationData(ABC):
    """The examples to evaluate, by id: dsg.data.folder.ImageFolder or dsg.data.held_out.HeldOutPortraits.

    Subclasses write `image_ids` and `load`, set `image_shape`, and have `largest_label` if they have labels and
    `columns` if they have more. This class repeats and limits; dsg.data.batches makes batches of it.

    Args:
        limit: evaluate only the first so many images; None takes all.
        samples_per_image: K ≥ 1 samples of every image's one measurement.
        batch_size: images a network evaluation, or `auto`: as many as the device's memory takes; without influence on
            results.
        num_workers: processes that read ahead; without influence on results.
    """

    image_shape: tuple[int, ...] | None = None  # (C,H,W) of every image; None if that is not known before they are read
    resizes: bool = False  # whether the options image_size and channels choose that shape
    whole_problems: bool = False  # whether all samples of an image are one batch, since they are judged together

    def __init__(
        self, limit: int | None = None, samples_per_image: int = 1, batch_size: BatchSize = 1, num_workers: int = 0
    ) -> None:
        for name, value in (("limit", limit), ("samples_per_image", samples_per_image), ("batch_size", batch_size)):
            if value is None or isinstance(value, str):
                continue
            if value < 1:
                raise UserError(f"data.{name}: must be at least 1, got {value}")
            if value != int(value):
                raise UserError(f"data.{name}: must be a whole number, got {value}")
        if isinstance(batch_size, str) and batch_size != "auto":
            raise UserError(f"data.batch_size: must be a number or auto, got {batch_size!r}")
        if num_workers < 0:
            raise UserError(f"data.num_workers: must be at least 0, got {num_workers}")
        self.limit = limit
        self.samples_per_image = samples_per_image
        self.batch_size = batch_size
        self.num_workers = num_workers

    @abstractmethod
    def image_ids(self) -> Sequence[str]:
        """Every id, sorted. An id is a relative path without its ending; it names the files of the run folder."""

    def evaluated_ids(self) -> Sequence[str]:
        """Those of `image_ids` that are evaluated."""
        return self.image_ids()[: self.limit]

    @abstractmethod
    def load(self, image_id: str) -> Example:
        """The example of that id, with the columns that `columns` names. Raises UnreadableImage."""

    def columns(self) -> frozenset[str]:
        """The names of what every example holds; `image` is its clean state, `label` its class."""
        return frozenset({IMAGE} if self.largest_label() is None else {IMAGE, LABEL})

    def known(self, column: str) -> Mapping[str, Value]:
        """What is known of a column before any example is loaded, by the ids that are evaluated; perhaps nothing."""
        return {}

    def cell_columns(self) -> Mapping[str, Mapping[str, int | float | str]]:
        """By what the evaluated images can be divided into cells without being loaded: column → id → value. Examples
        need not have these columns; of a `label` the value is the class's name, where it has one.
        """
        return {}

    def largest_label(self) -> int | None:
        """The largest class label of the images that are evaluated; None without labels."""
        return None

    def classes_by_order(self) -> int | None:
        """Among how many classes the labels were numbered by order; None where every label was given outright."""
        return None

    def bind(self, score_model: object) -> None:
        """Learn which model is evaluated; called before anything is read, for data that is drawn from the model."""

    def brings(self) -> frozenset[str]:
        """Those of `columns` that are y, or what y is measured through: a task that does not read them is refused."""
        return self.columns() & {MEASUREMENT}

    def expect(self, expected: Expected) -> None:
        """Learn what the task measures, where the data `brings` something for that; called before anything is read.
        Raises UserError where it cannot be that.
        """

    def notes(self) -> Sequence[str]:
        """What whoever starts an evaluation should be told of the data, a line each."""
        return ()

    def keys(self) -> list[Key]:
        """(image id, sample number) of everything that is to be evaluated, done or not."""
        ids = self.evaluated_ids()
        numbered = {f"{image_id}.{k}" for image_id in ids for k in range(1, self.samples_per_image)}
        if clash := sorted(numbered.intersection(ids)):
            raise UserError(f"data: the image {clash[0]} has the name of another image's further sample; rename it")
        return [(image_id, k) for image_id in ids for k in range(self.samples_per_image)]

    def groups(self, todo: Sequence[Key]) -> list[list[Key]]:
        """What is left to do, in the pieces that are not to be torn apart: a sample, or a whole problem."""
        if not self.whole_problems:
            return [[key] for key in todo]
        unfinished = {image_id for image_id, _ in todo}
        return [list(keys) for image_id, keys in groupby(self.keys(), lambda key: key[0]) if image_id in unfinished]
