"""What an evaluation reads: images with an id each, some of which may turn out unreadable."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from dsg.errors import UnreadableImage, UserError


@dataclass(frozen=True)
class Failure:
    """An image that could not be evaluated, and why."""

    image_id: str
    sample: int
    reason: str


class ImageBatch:
    """One batch of images.

    It is no dataclass, so that Lightning does not look inside: under `bf16-true` it would round the images, and with
    them the measurements and the truth that quality is measured against.

    Args:
        keys: (image id, sample number) of every image.
        images: (B,3,H,W) float32 in [−1, 1], or other clean states, (B, *shape).
        labels: (B,) int64 class labels, or None.
        failures: what was to be in this batch and could not be read.
    """

    def __init__(
        self, keys: list[tuple[str, int]], images: Tensor, labels: Tensor | None, failures: list[Failure]
    ) -> None:
        self.keys, self.images, self.labels, self.failures = keys, images, labels, failures

    def to(self, device: torch.device) -> ImageBatch:
        """The same batch on another device, as Lightning asks for it."""
        labels = None if self.labels is None else self.labels.to(device)
        return ImageBatch(self.keys, self.images.to(device), labels, self.failures)


@dataclass(frozen=True)
class _Item:
    key: tuple[str, int]
    image: Tensor | None
    label: int | None
    reason: str = ""


class EvaluationData(LightningDataModule):
    """The images to evaluate, by id: dsg.data.folder.ImageFolder or dsg.data.held_out.HeldOutPortraits.

    Subclasses write `image_ids` and `load`, set `image_shape`, and have `largest_label` if they have labels; this class
    repeats, limits, resumes and batches.

    Args:
        limit: evaluate only the first so many images; None takes all.
        samples_per_image: K ≥ 1 samples of every image's one measurement.
        batch_size: images a network evaluation; without influence on results.
        num_workers: processes that read ahead; without influence on results.
    """

    image_shape: tuple[int, ...] | None = None  # (3,H,W) of every image; None if that is not known before they are read

    def __init__(
        self, limit: int | None = None, samples_per_image: int = 1, batch_size: int = 1, num_workers: int = 0
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # a rank may have nothing to do
        for name, value in (("limit", limit), ("samples_per_image", samples_per_image), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise UserError(f"data.{name}: must be at least 1, got {value}")
        if num_workers < 0:
            raise UserError(f"data.num_workers: must be at least 0, got {num_workers}")
        self.limit = limit
        self.samples_per_image = samples_per_image
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.done: frozenset[tuple[str, int]] = frozenset()  # samples that an earlier run finished

    @abstractmethod
    def image_ids(self) -> Sequence[str]:
        """Every id, sorted. An id is a relative path without its ending; it names the files of the run folder."""

    @abstractmethod
    def load(self, image_id: str) -> tuple[Tensor, int | None]:
        """Image (3,H,W) float32 in [−1, 1], and its class label or None. Raises UnreadableImage."""

    def largest_label(self) -> int | None:
        """The largest class label of the images that are evaluated; None without labels."""
        return None

    def bind(self, score_model: object) -> None:
        """Learn which model is evaluated; called before anything is read, for data that is drawn from the model."""

    def groups(self, todo: Sequence[tuple[str, int]]) -> list[list[tuple[str, int]]]:
        """What is left to do, in the pieces that are not to be torn apart: here every sample is one."""
        return [[key] for key in todo]

    def keys(self) -> list[tuple[str, int]]:
        """(image id, sample number) of everything that is to be evaluated, done or not."""
        ids = self.image_ids()[: self.limit]
        numbered = {f"{image_id}.{k}" for image_id in ids for k in range(1, self.samples_per_image)}
        if clash := sorted(numbered.intersection(ids)):
            raise UserError(f"data: the image {clash[0]} has the name of another image's further sample; rename it")
        return [(image_id, k) for image_id in ids for k in range(self.samples_per_image)]

    def predict_dataloader(self) -> DataLoader:
        """This rank's share of what is not done. What is done, the first rank says: all must share out the same."""
        rank, ranks = 0, 1
        if self.trainer is not None:
            rank, ranks = self.trainer.global_rank, self.trainer.world_size
            self.done = self.trainer.strategy.broadcast(self.done)
        todo = [key for key in self.keys() if key not in self.done]
        samples = Samples(self, self.groups(todo))
        return DataLoader(
            samples,
            sampler=Share(samples, rank, ranks),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            collate_fn=_collate,
            persistent_workers=False,
        )


class Samples(Dataset):
    """The samples to make, in groups that stay in one batch."""

    def __init__(self, data: EvaluationData, groups: list[list[tuple[str, int]]]) -> None:
        self.data = data
        self.groups = groups

    @property
    def count(self) -> int:
        """How many samples there are in all groups."""
        return sum(map(len, self.groups))

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> list[_Item]:
        return [self._item(key) for key in self.groups[index]]

    def _item(self, key: tuple[str, int]) -> _Item:
        try:
            return _Item(key, *self.data.load(key[0]))
        except UnreadableImage as error:
            return _Item(key, None, None, str(error))


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


def _collate(groups: list[list[_Item]]) -> ImageBatch:
    items = [item for group in groups for item in group]
    read = [(item.key, item.image, item.label) for item in items if item.image is not None]
    failures = [Failure(*item.key, item.reason) for item in items if item.image is None]
    if not read:
        return ImageBatch([], torch.empty(0, 3, 1, 1), None, failures)
    keys, images, labels = zip(*read, strict=True)
    classes = None if labels[0] is None else torch.tensor(labels)
    return ImageBatch(list(keys), torch.stack(images), classes, failures)
