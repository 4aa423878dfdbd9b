"""From data to batches: each rank's share of the samples to make, some of which may turn out unreadable."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from dsg.data.base import EvaluationData, Key
from dsg.data.examples import Example, Examples
from dsg.errors import UnreadableImage, UserError


@dataclass(frozen=True)
class Failure:
    """An example that could not be evaluated, and why."""

    image_id: str
    sample: int
    reason: str


class Batch:
    """One batch of examples.

    It is no dataclass, so that Lightning does not look inside: under `bf16-true` it would round the images, and with
    them the measurements and the truth that quality is measured against.

    Args:
        keys: (image id, sample number) of every example.
        examples: as many.
        failures: what was to be in this batch and could not be read.
    """

    def __init__(self, keys: list[Key], examples: Examples, failures: list[Failure]) -> None:
        self.keys, self.examples, self.failures = keys, examples, failures

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device, as Lightning asks for it."""
        return Batch(self.keys, self.examples.to(device), self.failures)


def batches(
    data: EvaluationData,
    rank: int = 0,
    ranks: int = 1,
    done: frozenset[Key] = frozenset(),
    batch_size: int | None = None,
) -> DataLoader[list[tuple[Key, Example | str]]]:
    """One rank's share of what is not done, as `Batch`es.

    Args:
        data: what is evaluated.
        rank: 0 ≤ rank < ranks.
        ranks: how many share the work out; all must be told the same `done`.
        done: samples that an earlier run finished.
        batch_size: by default the data's own, which must then be a number.
    """
    size = batch_size or data.batch_size
    if isinstance(size, str):
        raise UserError("data.batch_size: auto is found by a run, on its device; take a number here")
    samples = Samples(data, groups_left(data, done))
    return DataLoader(
        samples,
        sampler=Share(samples, rank, ranks),
        batch_size=size,
        num_workers=data.num_workers,
        collate_fn=_collate,
        persistent_workers=False,
    )


def groups_left(data: EvaluationData, done: frozenset[Key]) -> list[list[Key]]:
    """What is left to do, in the pieces that are not to be torn apart."""
    every = data.keys()
    return data.groups([key for key in every if key not in done])


def check_workers(data: EvaluationData) -> None:
    """Raise UserError if `data` cannot be sent to processes that read ahead, where those start from nothing: everywhere
    but on Linux before Python 3.14, unless somebody has set the start method.
    """
    # to ask for the method that was not chosen would choose it
    method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
    if data.num_workers == 0 or method == "fork":
        return
    try:
        pickle.dumps(data)
    except Exception as error:  # each part of it may raise what it likes
        reason = " ".join(str(error).split())
        raise UserError(
            f"data.num_workers: {type(data).__name__} cannot be sent to a process that reads ahead ({reason}); set "
            "data.num_workers to 0, or make in load() what cannot be sent"
        ) from error


class Samples(Dataset):
    """The samples to make, in groups that stay in one batch: of each its example, or why it cannot be read."""

    def __init__(self, data: EvaluationData, groups: list[list[Key]]) -> None:
        self.data = data
        self.groups = groups

    @property
    def count(self) -> int:
        """How many samples there are in all groups."""
        return sum(map(len, self.groups))

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> list[tuple[Key, Example | str]]:
        return [(key, self._load(key[0])) for key in self.groups[index]]

    def _load(self, image_id: str) -> Example | str:
        try:
            return self.data.load(image_id)
        except UnreadableImage as error:
            return " ".join(str(error).split())  # a row of a table is one line


class Share(DistributedSampler):
    """Every `ranks`-th group from the `rank`-th on: together the ranks have each group once, and one may have none.

    Lightning's own sampler for predictions refuses a rank that has none. It leaves a DistributedSampler as it is.
    """

    def __init__(self, samples: Samples, rank: int, ranks: int) -> None:
        super().__init__(samples, num_replicas=ranks, rank=rank, shuffle=False)
        self.share = range(rank, len(samples), ranks)

    def __len__(self) -> int:
        return len(self.share)

    def __iter__(self) -> Iterator[int]:
        return iter(self.share)


def _collate(groups: list[list[tuple[Key, Example | str]]]) -> Batch:
    items = [item for group in groups for item in group]
    read = [(key, example) for key, example in items if isinstance(example, Example)]
    failures = [Failure(*key, reason) for key, reason in items if isinstance(reason, str)]
    return Batch([key for key, _ in read], Examples.of([example for _, example in read]), failures)
