"""A folder of images, FFHQ-style (flat or nested) or ImageNet-style (a folder a class)."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor

from dsg.data.base import EvaluationData
from dsg.data.image_file import SUFFIXES, read_image
from dsg.errors import UserError


class ImageFolder(EvaluationData):
    """Every PNG, JPEG and WebP below `root`, centre-cropped and resized as guided-diffusion does.

    Args:
        root: the folder; its images are found at any depth, and an image's id is its path below `root` without ending.
            Hidden files (.name) are left out.
        image_size: side in pixels of the square images, the model's. Smaller images fail, they are not enlarged.
        labels: class labels for conditional models: `folders` numbers the first-level folders in sorted order, which is
            ImageNet's if all of the model's classes are there; the path of a CSV file gives lines `id,label`; None
            reads none.
        limit: evaluate only the first so many images; None takes all.
        samples_per_image: K ≥ 1 samples of every image's one measurement.
        batch_size: images a network evaluation; without influence on results.
        num_workers: processes that read ahead; without influence on results.

    Raises:
        UserError: for a folder that is missing or has no images, two files with one id, or labels that do not fit.
    """

    def __init__(
        self,
        root: str,
        image_size: int = 256,
        labels: str | None = None,
        limit: int | None = None,
        samples_per_image: int = 1,
        batch_size: int = 1,
        num_workers: int = 2,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size, num_workers)
        if image_size < 1:
            raise UserError(f"data.image_size: must be at least 1, got {image_size}")
        self.image_shape = (3, image_size, image_size)
        self.root = Path(root).expanduser()
        self.image_size = image_size
        self.labels = labels

    @cached_property
    def _paths(self) -> dict[str, Path]:
        if not self.root.is_dir():
            raise UserError(f"data.root: no folder at {self.root}; give the folder that holds the images")
        paths: dict[str, Path] = {}
        for path in sorted(p for p in self.root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
            if path.name.startswith("."):  # macOS leaves such files beside every image
                continue
            image_id = path.relative_to(self.root).with_suffix("").as_posix()
            if not _is_text(image_id):
                raise UserError(f"data.root: the name {os.fsencode(path)!r} is not UTF-8; rename the file")
            if image_id in paths:
                raise UserError(f"data.root: {paths[image_id]} and {path} share the id {image_id}; rename one of them")
            paths[image_id] = path
        if not paths:
            raise UserError(f"data.root: no image ({', '.join(sorted(SUFFIXES))}) below {self.root}")
        return paths

    @cached_property
    def _labels(self) -> dict[str, int] | None:
        if self.labels is None:
            return None
        if self.labels == "folders":
            return _labels_of_folders(self._paths)
        return _labels_of_file(Path(self.labels), self._paths)

    def image_ids(self) -> Sequence[str]:
        _ = self._labels  # labels that do not fit are found before the first sample
        return list(self._paths)

    def largest_label(self) -> int | None:
        return (
            None if self._labels is None else max(self._labels[image_id] for image_id in self.image_ids()[: self.limit])
        )

    def load(self, image_id: str) -> tuple[Tensor, int | None]:
        label = None if self._labels is None else self._labels[image_id]
        return read_image(self._paths[image_id], self.image_size), label


def _is_text(name: str) -> bool:
    """Whether the bytes of a file's name were UTF-8; streams and rows are named after it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _labels_of_folders(paths: dict[str, Path]) -> dict[str, int]:
    flat = next((image_id for image_id in paths if "/" not in image_id), None)
    if flat is not None:
        raise UserError(f"data.labels: folders needs one folder a class, but {paths[flat]} is in none")
    classes = sorted({image_id.split("/")[0] for image_id in paths})
    return {image_id: classes.index(image_id.split("/")[0]) for image_id in paths}


def _labels_of_file(file: Path, paths: dict[str, Path]) -> dict[str, int]:
    if not file.is_file():
        raise UserError(f"data.labels: no file at {file}; give `folders` or a CSV file with lines id,label")
    labels: dict[str, int] = {}
    with file.open(newline="", encoding="utf-8", errors="replace") as handle:
        for number, row in enumerate(csv.reader(handle), start=1):
            if not row:
                continue
            if len(row) != 2 or not row[1].strip().isdigit():
                raise UserError(f"data.labels: {file} line {number} is not `id,label` with a whole number: {row}")
            labels[row[0].strip()] = int(row[1])
    missing = [image_id for image_id in paths if image_id not in labels]
    if missing:
        raise UserError(f"data.labels: {file} has no line for {len(missing)} images, the first is {missing[0]}")
    return labels
