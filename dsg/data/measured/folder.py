"""A folder of measurements that somebody made, with or without the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from torch import Tensor

from dsg.data.base import BatchSize, EvaluationData
from dsg.data.class_folders import labels_of_folders, numbered_by_order
from dsg.data.examples import IMAGE, KERNEL, LABEL, MASK, MEASUREMENT, Example, Value
from dsg.data.expected import Expected
from dsg.data.labels import labels_of_file
from dsg.data.measured.fitting import adapted, check_measurements, check_partners, check_truth
from dsg.data.measured.kernels import centred, common_side, read_kernel
from dsg.data.measured.masks import Marks, read_mask
from dsg.data.measured.noise_level import noise_note
from dsg.data.measured.places import Places
from dsg.data.measured.stored import ARRAYS, PICTURES, read_stored
from dsg.data.measured.units import Unit, check_unit, signed
from dsg.errors import UnreadableImage, UserError

LOOKED_AT = 16  # measurements, for their noise


class MeasuredFolder(EvaluationData):
    """Every picture, .npy and .safetensors below `measurements`, as y of an example; nothing is cropped or resized.

    A measurement's id is its path without ending; what belongs to it (truth, mask, kernel) has the same id in a folder
    of its own, or is one file for all. docs/own_measurements.md says what the files may hold. Without truth, metrics
    that compare with it are unavailable.

    Masks and kernels also serve the benchmark: with `truth` and without `measurements`, the task makes y through them.

    Args:
        measurements: the folder; null if the task is to measure the truth. A .safetensors holds y, and may hold `mask`
            and `kernel` beside, as the files do that `--writer.save_measurements true` leaves in a run folder.
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
        batch_size: images a network evaluation, or `auto`: as many as the device's memory takes; without influence on
            results.
        num_workers: processes that read ahead; without influence on results.

    Raises:
        UserError: before the first sample, for places that are missing or hold nothing of the kind, measurements
            without their partner, and files that do not fit the task and the model.
    """

    def __init__(
        self,
        measurements: str | None = None,
        truth: str | None = None,
        masks: str | None = None,
        kernels: str | None = None,
        mask_marks: Marks = "observed",
        array_unit: Unit | None = None,
        ending: str | None = None,
        labels: str | None = None,
        limit: int | None = None,
        samples_per_image: int = 1,
        batch_size: BatchSize = 1,
        num_workers: int = 0,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size, num_workers)
        if mask_marks not in ("observed", "dropped"):
            raise UserError(f"data.mask_marks: must be observed or dropped, got {mask_marks}")
        check_unit(array_unit)
        if ending is not None and ending.lower() not in PICTURES | ARRAYS:
            raise UserError(f"data.ending: must be one of {', '.join(sorted(PICTURES | ARRAYS))}, got {ending}")
        if measurements is None and (truth is None or (masks is None and kernels is None)):
            raise UserError(
                "data.measurements: give the folder of your measurements; or, to make some through your own masks or "
                "kernels, data.truth with data.masks or data.kernels"
            )
        self.measurements = measurements
        self.truth, self.masks, self.kernels = truth, masks, kernels
        self.mask_marks: Marks = mask_marks
        self.array_unit: Unit | None = array_unit
        self.ending, self.labels = ending, labels
        self._expected: Expected | None = None

    @cached_property
    def _places(self) -> Places:
        named = {MEASUREMENT: self.measurements, IMAGE: self.truth, MASK: self.masks, KERNEL: self.kernels}
        (column, root), *others = ((column, place) for column, place in named.items() if place is not None)
        return Places(column, Path(root).expanduser(), self.ending, dict(others))

    @cached_property
    def _labels(self) -> dict[str, int] | None:
        if self.labels is None:
            return None
        files = self._places.files
        if self.labels == "folders":
            return labels_of_folders(files, self._places.root, files)
        return labels_of_file(Path(self.labels).expanduser(), files)

    def classes_by_order(self) -> int | None:
        return numbered_by_order(self._places.files) if self.labels == "folders" else None

    @cached_property
    def _kernel_side(self) -> int:
        """Of the square that holds every kernel: those of a batch have one shape."""
        return common_side(self._places.all(KERNEL, [i for i in self.image_ids() if self._has(KERNEL, i)]))

    def _has(self, column: str, image_id: str) -> bool:
        partners = self._places.partners.get(column)
        return partners is None or partners.has(image_id)

    def image_ids(self) -> Sequence[str]:
        _ = self._labels  # what does not fit is found before the first sample
        return list(self._places.files)

    def columns(self) -> frozenset[str]:
        for partners in self._places.partners.values():
            partners.require(self.evaluated_ids())
        return self._places.columns | (frozenset() if self._labels is None else frozenset({LABEL}))

    def cell_columns(self) -> Mapping[str, Mapping[str, int | str]]:
        """`label`, where there are any, by the folder's name where that is the class."""
        if (labels := self._labels) is None:
            return {}
        ids = self.evaluated_ids()
        if self.labels == "folders":
            return {LABEL: {image_id: image_id.split("/")[0] for image_id in ids}}
        return {LABEL: {image_id: labels[image_id] for image_id in ids}}

    def largest_label(self) -> int | None:
        return None if self._labels is None else max(self._labels[image_id] for image_id in self.evaluated_ids())

    def brings(self) -> frozenset[str]:
        return self._places.columns & {MEASUREMENT, MASK, KERNEL}

    def expect(self, expected: Expected) -> None:
        self._expected, ids = expected, self.evaluated_ids()
        if MEASUREMENT in self._places.columns:
            check_measurements(self._places.all(MEASUREMENT, ids), expected, self.array_unit)
        if IMAGE in self._places.columns:
            check_truth(self._places.all(IMAGE, ids), expected, self.array_unit)
        for column, read in ((MASK, self._mask), (KERNEL, read_kernel)):
            if column in self._places.columns:
                check_partners(column, self._places.all(column, ids), read, expected, column in self._places.inside)

    def notes(self) -> Sequence[str]:
        """How much noise the first measurements have at most, beside what the task is told."""
        if MEASUREMENT not in self._places.columns:
            return ()
        if self._expected is None or self._expected.noise_sigma is None or self._expected.low >= 0:
            return ()  # numbers that are no picture have details that are no noise
        examples = []
        for image_id in self.evaluated_ids()[:LOOKED_AT]:
            with suppress(UnreadableImage):
                examples.append(self.load(image_id).columns)
        return noise_note(examples, self._expected.noise_sigma)

    def load(self, image_id: str) -> Example:
        expected, there = self._expected, self._places.columns
        columns: dict[str, Value] = {}
        if MEASUREMENT in there:
            columns[MEASUREMENT] = self._numbers(MEASUREMENT, image_id, None if expected is None else expected.shape)
        if self._labels is not None:
            columns[LABEL] = self._labels[image_id]
        if MASK in there:
            columns[MASK] = self._mask(*self._places.of(MASK, image_id))
        if KERNEL in there:
            columns[KERNEL] = centred(read_kernel(*self._places.of(KERNEL, image_id)), self._kernel_side).float()
        image = None
        if IMAGE in there:
            image = self._numbers(IMAGE, image_id, None if expected is None else expected.image)
        return Example(image, columns)

    def _numbers(self, column: str, image_id: str, shape: tuple[int, ...] | None) -> Tensor:
        path, name = self._places.of(column, image_id)
        return adapted(signed(read_stored(path, name), self.array_unit), shape, path)

    def _mask(self, path: Path, name: str) -> Tensor:
        return read_mask(path, name, self.mask_marks)
