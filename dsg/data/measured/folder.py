"""A folder of measurements that somebody made, with or without the truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Literal

from torch import Tensor

from dsg.data.base import EvaluationData
from dsg.data.examples import IMAGE, KERNEL, LABEL, MASK, MEASUREMENT, Example, Value
from dsg.data.expected import Expected
from dsg.data.labels import labels_of_file, labels_of_folders
from dsg.data.measured.fitting import adapted, check_files
from dsg.data.measured.kernels import centred, odd_side, read_kernel
from dsg.data.measured.masks import read_mask
from dsg.data.measured.noise_level import noise_level
from dsg.data.measured.partners import Partners, files_below
from dsg.data.measured.stored import ARRAYS, MEASURED, PICTURES, read_stored, stored_names, stored_shape
from dsg.data.measured.units import Unit, check_unit, signed
from dsg.errors import UnreadableImage, UserError

LOOKED_AT = 16  # measurements, for their noise


class MeasuredFolder(EvaluationData):
    """Every picture, .npy and .safetensors below `measurements`, as y of an example; nothing is cropped or resized.

    A measurement's id is its path without ending; what belongs to it (truth, mask, kernel) has the same id in a folder
    of its own, or is one file for all. docs/own_measurements.md says what the files may hold. Without truth, metrics
    that compare with it are unavailable.

    Args:
        measurements: the folder. A .safetensors holds y, and may hold `mask` and `kernel` beside, as the files do that
            `--writer.save_measurements true` leaves in a run folder.
        truth: the folder of the images that were measured, of the model's size; null if nobody knows them.
        masks: where pixels were observed, a file for all or a folder: pictures of black and white alone, or arrays of 0
            and 1. For tasks.GivenMaskInpainting.
        kernels: the blurs, a file for all or a folder: pictures, which are divided by their sum, or arrays that sum to
            1, of any sides. For tasks.GivenKernelDeblurring.
        mask_marks: what a mask's white, or 1, marks: the observed pixels, or the dropped ones.
        array_unit: what the real numbers in .npy and .safetensors are, of y and of the truth: signed, [-1, 1]; unit,
            [0, 1]; byte, [0, 255]. null takes them as they are, and refuses what looks like one of the latter two.
        ending: only measurements with this ending count, as .safetensors where pictures lie beside.
        labels: class labels for conditional models: `folders` numbers the first-level folders of `measurements`; the
            path of a CSV file gives lines `id,label`; null gives none.
        limit: evaluate only the first so many measurements; null takes all.
        samples_per_image: K ≥ 1 samples of every measurement.
        batch_size: images a network evaluation; without influence on results.
        num_workers: processes that read ahead; without influence on results.

    Raises:
        UserError: before the first sample, for places that are missing or hold nothing of the kind, measurements
            without their partner, and files that do not fit the task and the model.
    """

    def __init__(
        self,
        measurements: str,
        truth: str | None = None,
        masks: str | None = None,
        kernels: str | None = None,
        mask_marks: Literal["observed", "dropped"] = "observed",
        array_unit: Unit | None = None,
        ending: str | None = None,
        labels: str | None = None,
        limit: int | None = None,
        samples_per_image: int = 1,
        batch_size: int = 1,
        num_workers: int = 0,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size, num_workers)
        if mask_marks not in ("observed", "dropped"):
            raise UserError(f"data.mask_marks: must be observed or dropped, got {mask_marks}")
        check_unit(array_unit)
        if ending is not None and ending.lower() not in PICTURES | ARRAYS:
            raise UserError(f"data.ending: must be one of {', '.join(sorted(PICTURES | ARRAYS))}, got {ending}")
        self.measurements = Path(measurements).expanduser()
        self.truth, self.masks, self.kernels = truth, masks, kernels
        self.mask_marks, self.array_unit, self.ending, self.labels = mask_marks, array_unit, ending, labels
        self._expected: Expected | None = None

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Id → measurement: what else is named may lie in the same folder, and is none."""
        endings = PICTURES | ARRAYS if self.ending is None else frozenset({self.ending.lower()})
        others = [Path(place).expanduser() for place in (self.truth, self.masks, self.kernels) if place is not None]
        return files_below(self.measurements, endings, "data.measurements", "measurement", others)

    @cached_property
    def _partners(self) -> dict[str, Partners]:
        """Column → its files, of what lies apart from the measurements."""
        places = {IMAGE: (self.truth, "truth"), MASK: (self.masks, "masks"), KERNEL: (self.kernels, "kernels")}
        found = {
            column: Partners(place, f"data.{option}", option.removesuffix("s"), PICTURES | ARRAYS)
            for column, (place, option) in places.items()
            if place is not None
        }
        for partners in found.values():
            partners.require(self.image_ids()[: self.limit])
        return found

    @cached_property
    def _inside(self) -> frozenset[str]:
        """The columns that lie in the measurements' own files."""
        try:
            names = stored_names(next(iter(self._files.values())))
        except UnreadableImage:
            return frozenset()
        return (names & {MASK, KERNEL}) - self._partners.keys()

    @cached_property
    def _labels(self) -> dict[str, int] | None:
        if self.labels is None:
            return None
        return (
            labels_of_folders(self._files)
            if self.labels == "folders"
            else labels_of_file(Path(self.labels), self._files)
        )

    @cached_property
    def _kernel_side(self) -> int:
        """Of the square that holds every kernel: those of a batch have one shape."""
        sides = [3]
        for image_id in self.image_ids():
            try:
                sides.append(odd_side(stored_shape(*self._place(KERNEL, image_id))))
            except (UnreadableImage, KeyError):  # it fails when it is read, if it is asked for
                continue
        return max(sides)

    def _place(self, column: str, image_id: str) -> tuple[Path, str]:
        """The file of a column, and the tensor's name there."""
        if column in self._partners:
            return self._partners[column].of(image_id), MEASURED if column == IMAGE else column
        return self._files[image_id], MEASURED if column == MEASUREMENT else column

    def image_ids(self) -> Sequence[str]:
        return list(self._files)

    def columns(self) -> frozenset[str]:
        labels = frozenset() if self._labels is None else frozenset({LABEL})
        return frozenset({MEASUREMENT, *self._partners, *self._inside}) | labels

    def largest_label(self) -> int | None:
        return None if self._labels is None else max(self._labels[i] for i in self.image_ids()[: self.limit])

    def expect(self, expected: Expected) -> None:
        self._expected = expected
        ids = self.image_ids()[: self.limit]
        for column, option, shape, span in (
            (MEASUREMENT, "data.measurements", expected.shape, (expected.low, expected.high)),
            (IMAGE, "data.truth", expected.image, (-1.0, 1.0)),
        ):
            if column in self.columns():
                places = [self._place(column, image_id) for image_id in ids]
                check_files(option, places, shape, expected, span, self.array_unit)
        self._check_partners(ids, expected)

    def _check_partners(self, ids: Sequence[str], expected: Expected) -> None:
        """Read every mask and kernel: one that is none would spoil its image without a word."""
        for column in sorted({MASK, KERNEL} & self.columns()):
            for place in dict.fromkeys(self._place(column, image_id) for image_id in ids):
                try:
                    found = self._mask(*place) if column == MASK else read_kernel(*place)
                except UnreadableImage as error:
                    if column in self._inside:
                        continue  # as the measurement itself: its image fails alone
                    raise UserError(f"data.{column}s: {error}") from error
                if column == MASK and found.shape[1:] != expected.image[1:]:
                    raise UserError(
                        f"data.masks: {place[0]} is {_by(found.shape[1:])}, and the model's images are "
                        f"{_by(expected.image[1:])}; make it that size, without new greys"
                    )

    def notes(self) -> Sequence[str]:
        """How much noise the first measurements have at most, beside what the task is told."""
        told = None if self._expected is None else self._expected.noise_sigma
        if told is None or self._expected is None or self._expected.low >= 0:  # no picture: its details are no noise
            return ()
        found = []
        for image_id in self.image_ids()[: self.limit][:LOOKED_AT]:
            try:
                columns = self.load(image_id).columns
            except UnreadableImage:
                continue
            y, mask = columns[MEASUREMENT], columns.get(MASK)
            if isinstance(y, Tensor) and y.ndim == 3:
                found.append(noise_level(y, mask if isinstance(mask, Tensor) else None))
        levels = [level for level in found if level is not None]
        if not levels:
            return ()
        return [
            f"data: the finest details of {len(levels)} measurements say that noise_sigma is at most about "
            f"{median(levels):.2g}, on [-1, 1]; the task is told {told:g}"
        ]

    def load(self, image_id: str) -> Example:
        expected = self._expected
        columns: dict[str, Value] = {
            MEASUREMENT: self._numbers(MEASUREMENT, image_id, None if expected is None else expected.shape)
        }
        if self._labels is not None:
            columns[LABEL] = self._labels[image_id]
        if MASK in self.columns():
            columns[MASK] = self._mask(*self._place(MASK, image_id))
        if KERNEL in self.columns():
            columns[KERNEL] = centred(read_kernel(*self._place(KERNEL, image_id)), self._kernel_side).float()
        image = None
        if IMAGE in self.columns():
            image = self._numbers(IMAGE, image_id, None if expected is None else expected.image)
        return Example(image, columns)

    def _numbers(self, column: str, image_id: str, shape: tuple[int, ...] | None) -> Tensor:
        path, name = self._place(column, image_id)
        return adapted(signed(read_stored(path, name), self.array_unit), shape, path)

    def _mask(self, path: Path, name: str) -> Tensor:
        mask = read_mask(path, name)
        mask = mask if self.mask_marks == "observed" else 1 - mask
        if not mask.any():
            raise UserError(f"data.masks: {path} observes no pixel; is data.mask_marks the right one?")
        return mask


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
