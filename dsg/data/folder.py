"""A folder of images, FFHQ-style (flat or nested), ImageNet-style (a folder a class), or with metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor

from dsg.data.base import BatchSize, EvaluationData
from dsg.data.class_folders import labels_of_folders, numbered_by_order
from dsg.data.examples import LABEL, MEASUREMENT, Example, Value
from dsg.data.image_file import Size, read_image
from dsg.data.images_below import images_below
from dsg.data.labels import labels_of_file, labels_of_metadata
from dsg.data.metadata import Cell, Metadata, read_metadata
from dsg.data.selection import select
from dsg.errors import UserError


class ImageFolder(EvaluationData):
    """Every PNG, JPEG and WebP below `root`, centre-cropped and resized as guided-diffusion does.

    `root` may bring metadata.jsonl or metadata.csv, as Hugging Face's image folders do (docs/data.md): a line an image,
    with its `file_name` and any columns, which become those of the example. `NAME_file_name` is a second image, NAME,
    read as the first is.

    Args:
        root: the folder; its images are found at any depth, and an image's id is its path below `root` without ending.
            Links are followed; hidden files and folders, and the folders of runs and comparisons, are left out.
        image_size: of the model's images in pixels: the side of squares, or [H, W]. Smaller images fail, they are not
            enlarged.
        labels: class labels for conditional models: `folders` numbers the first-level folders in sorted order, which is
            ImageNet's (all of the model's classes have to be there), and folders named 0, 1, 2, ... are those classes;
            `metadata` takes the metadata's column `label`; the path of a CSV file gives lines `id,label`; None reads
            none, and leaves out a `label` of the metadata.
        limit: evaluate only so many images; None takes all.
        samples_per_image: K ≥ 1 samples of every image's one measurement.
        batch_size: images a network evaluation, or `auto`: as many as the device's memory takes; without influence on
            results.
        num_workers: processes that read ahead; without influence on results.
        first: how many images to pass over, at least 0; where they are `spread`, of every piece.
        spread: take the `limit` images evenly over all, one of each of as many equal pieces, and not in a row: of 1000
            class folders and a limit of 1000 an image a class.
        channels: 3, or 1 for models of greyscale images.

    Raises:
        UserError: for a folder that is missing or has no images, two files with one id, metadata that does not fit the
            files, or labels that do not fit.
    """

    resizes = True

    def __init__(
        self,
        root: str,
        image_size: Size = 256,
        labels: str | None = None,
        limit: int | None = None,
        samples_per_image: int = 1,
        batch_size: BatchSize = 1,
        num_workers: int = 2,
        first: int = 0,
        spread: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size, num_workers)
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        if min(height, width) < 1:
            raise UserError(f"data.image_size: must be at least 1, got {image_size}")
        if channels not in (1, 3):
            raise UserError(f"data.channels: must be 3, or 1 for greyscale, got {channels}")
        if first < 0:
            raise UserError(f"data.first: must be at least 0, got {first}")
        self.image_shape = (channels, height, width)
        self.size, self.channels = (height, width), channels
        self.first = first
        self.spread = spread
        self.root = Path(root).expanduser()
        self.labels = labels

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Path below `root` → file."""
        return images_below(self.root)

    @cached_property
    def _paths(self) -> dict[str, Path]:
        """Id → file, sorted."""
        files = self._files
        if self._metadata is not None:
            files = _listed(files, self._metadata)
        paths: dict[str, Path] = {}
        for name, path in files.items():
            image_id = Path(name).with_suffix("").as_posix()
            if image_id in paths:
                raise UserError(f"data.root: {paths[image_id]} and {path} share the id {image_id}; rename one of them")
            paths[image_id] = path
        return paths

    @cached_property
    def _metadata(self) -> Metadata | None:
        return read_metadata(self.root)

    @cached_property
    def _columns(self) -> dict[str, dict[str, Cell]]:
        """The metadata's columns: name → id → value; what are images, as paths below `root`."""
        if self._metadata is None:
            return {}
        if MEASUREMENT in self._metadata.columns:  # which tasks would take as y, cropped and resized
            raise UserError(
                f"{self._metadata.path}: a column {MEASUREMENT} would be y itself; give measurements by "
                "dsg.data.measured.MeasuredFolder, or rename the column"
            )
        names = {image_id: path.relative_to(self.root).as_posix() for image_id, path in self._paths.items()}
        return {
            column: {image_id: values[name] for image_id, name in names.items()}
            for column, values in self._metadata.columns.items()
        }

    @cached_property
    def _labels(self) -> dict[str, int] | None:
        if self.labels is None:
            return None
        if self.labels == "folders":
            return labels_of_folders(self._paths, self.root, self._files)
        if self.labels == "metadata":
            return labels_of_metadata(self._columns.get(LABEL), self.root)
        return labels_of_file(Path(self.labels).expanduser(), self._paths)

    def image_ids(self) -> Sequence[str]:
        _ = self._labels, self._columns  # what does not fit is found before the first sample
        return list(self._paths)

    def evaluated_ids(self) -> Sequence[str]:
        return select(self.image_ids(), self.first, self.limit, self.spread)

    def columns(self) -> frozenset[str]:
        return super().columns() | (self._columns.keys() - {LABEL})

    def known(self, column: str) -> Mapping[str, Value]:
        images = frozenset() if self._metadata is None else self._metadata.images
        values: Mapping[str, Value] = {} if column in images else self._columns.get(column, {})
        if column == LABEL and self._labels is not None:
            values = self._labels
        return {image_id: values[image_id] for image_id in self.evaluated_ids() if image_id in values}

    def cell_columns(self) -> Mapping[str, Mapping[str, Cell]]:
        """The metadata's numbers and texts, its `label` too; `folder`, that of the first level, where every image is in
        one; and `label` as `labels` has it, by the folder's name where that is the class.
        """
        ids = self.evaluated_ids()
        columns: dict[str, Mapping[str, Cell]] = {}
        if all("/" in image_id for image_id in ids):
            columns["folder"] = {image_id: image_id.split("/")[0] for image_id in ids}
        if self.labels == "folders":
            columns[LABEL] = columns["folder"]
        elif self._labels is not None:
            columns[LABEL] = {image_id: self._labels[image_id] for image_id in ids}
        images = frozenset() if self._metadata is None else self._metadata.images
        told = {name: {i: values[i] for i in ids} for name, values in self._columns.items() if name not in images}
        return told | columns if self._labels is not None else columns | told

    def largest_label(self) -> int | None:
        return None if self._labels is None else max(self._labels[image_id] for image_id in self.evaluated_ids())

    def classes_by_order(self) -> int | None:
        return numbered_by_order(self._paths) if self.labels == "folders" else None

    def load(self, image_id: str) -> Example:
        columns: dict[str, Value] = {n: v[image_id] for n, v in self._columns.items() if n != LABEL}
        if self._labels is not None:
            columns[LABEL] = self._labels[image_id]
        for name in () if self._metadata is None else self._metadata.images:
            columns[name] = self._read(self.root / str(columns[name]))
        return Example(self._read(self._paths[image_id]), columns)

    def _read(self, path: Path) -> Tensor:
        return read_image(path, self.size, self.channels)


def _listed(files: dict[str, Path], metadata: Metadata) -> dict[str, Path]:
    """Those of `files` that have a line. Raises UserError for a line without its file, and a file without a line."""
    beside = {name: metadata.columns[name] for name in sorted(metadata.images)}
    for file_name, number in metadata.lines.items():
        for name in (file_name, *(str(column[file_name]) for column in beside.values())):
            if name not in files:
                raise UserError(f"{metadata.path}: line {number} names {name}, and there is no such image; mend it")
    known = {*metadata.lines, *(str(name) for column in beside.values() for name in column.values())}
    if unlisted := [name for name in files if name not in known]:
        raise UserError(
            f"{metadata.path}: has no line for {len(unlisted)} images, the first is {unlisted[0]}; add it, or take the "
            "image away"
        )
    return {name: path for name, path in files.items() if name in metadata.lines}
