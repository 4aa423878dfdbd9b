"""Whether files are what a task measures, found out before the first sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from dsg.data.examples import MASK
from dsg.data.expected import Expected
from dsg.data.measured.places import Place
from dsg.data.measured.stored import ARRAYS, read_stored, stored_shape
from dsg.data.measured.units import Span, Unit, signed
from dsg.errors import UnreadableImage, UserError


def check_measurements(places: Sequence[Place], expected: Expected, unit: Unit | None) -> None:
    """Raise UserError unless every measurement has the shape of the task's, and real numbers are in a likely unit.

    Of pictures the head alone is read. A file that cannot be read is left alone: its image fails by name.

    Args:
        places: files, each with the name of its tensor.
        expected: what the task measures.
        unit: that of real numbers; None where nobody said one, so that they have to look like [−1, 1].
    """
    right = f"of which the task measures {_by(expected.shape)}"
    span = Span("data.measurements", expected.low, expected.high)
    _check(places, expected.shape, f"the model's images are {_by(expected.image)}, {right}", span, unit)


def check_truth(places: Sequence[Place], expected: Expected, unit: Unit | None) -> None:
    """The same of the truth, which has the shape of the model's images."""
    right = f"the model's images are {_by(expected.image)}, and nothing is resized"
    _check(places, expected.image, right, Span("data.truth", -1.0, 1.0), unit)


def check_partners(
    column: str, places: Sequence[Place], read: Callable[[Path, str], Tensor], expected: Expected, inside: bool
) -> None:
    """Read every mask or kernel: one that is none would spoil its image without a word.

    Args:
        column: MASK or KERNEL.
        places: files, each with the name of its tensor.
        read: how one is read.
        expected: what the task measures.
        inside: whether they lie in the measurements' own files; one that cannot be read then fails alone, with y.

    Raises:
        UserError: for one that is none, or a mask that is not of the images' size.
    """
    for path, name in places:
        try:
            found = read(path, name)
        except UnreadableImage as error:
            if inside:
                continue
            raise UserError(f"data.{column}s: {error}") from error
        if column == MASK and tuple(found.shape[1:]) != tuple(expected.image[1:]):
            raise UserError(
                f"data.masks: {path} is {_by(found.shape[1:])}, and the model's images are {_by(expected.image[1:])}; "
                "make it that size, without new greys"
            )


def adapted(values: Tensor, shape: tuple[int, ...] | None, path: Path) -> Tensor:
    """`values` in the `shape` that is expected: a grey picture repeated over the channels, or one channel of a picture
    that is grey. None asks for none.

    Raises:
        UnreadableImage: if they are not of that shape, or coloured where one channel is expected.
    """
    if shape is None:
        return values[None] if values.ndim == 2 else values
    if tuple(values.shape) == tuple(shape):
        return values
    if not _fits(tuple(values.shape), shape):
        raise UnreadableImage(f"{path} is {_by(values.shape)} now, and {_by(shape)} is expected")
    values = values if values.ndim == len(shape) else values[None]
    if shape[0] == 1 and not (values == values[:1]).all():
        raise UnreadableImage(f"{path} is coloured, and a measurement of one channel is expected; make it grey")
    return values[:1].expand(shape).clone()


def _fits(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether it is that shape, but for a grey picture in the place of a coloured one, or the reverse."""
    if found == tuple(shape):
        return True
    if len(shape) != 3 or found[-2:] != tuple(shape[1:]):
        return False
    return len(found) == 2 or (len(found) == 3 and (found[0] == 1 or (found[0] == 3 and shape[0] == 1)))


def _check(places: Sequence[Place], shape: tuple[int, ...], right: str, span: Span, unit: Unit | None) -> None:
    for path, name in places:
        try:
            found = stored_shape(path, name)
            if not _fits(found, shape):
                last = len(found) == 3 and (found[2], *found[:2]) == tuple(shape)
                mend = "transpose it to (C,H,W)" if last else "take a model and a task that fit, or files of that size"
                raise UserError(f"{span.option}: {path} is {_by(found)}; {right}; {mend}")
            if path.suffix.lower() not in ARRAYS:
                continue
            stored = read_stored(path, name)
        except UnreadableImage:
            continue
        if stored.white is None:
            span.add(path, signed(stored, unit))
    if unit is None:
        span.check()


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
