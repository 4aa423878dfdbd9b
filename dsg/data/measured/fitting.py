"""Whether files are what a task measures, found out before the first sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from dsg.data.expected import Expected
from dsg.data.measured.stored import ARRAYS, read_stored, stored_shape
from dsg.data.measured.units import Span, Unit, signed
from dsg.errors import UnreadableImage, UserError


def check_files(
    option: str,
    places: Sequence[tuple[Path, str]],
    shape: tuple[int, ...],
    expected: Expected,
    span: tuple[float, float],
    unit: Unit | None,
) -> None:
    """Raise UserError unless every file has the right shape, and real numbers are in a likely unit.

    Of pictures the head alone is read. A file that cannot be read is left alone: its image fails by name.

    Args:
        option: which option named the files.
        places: each with the name of its tensor.
        shape: the one that is right.
        expected: of the task.
        span: about from where to where numbers go.
        unit: that of real numbers; None where nobody said one, so that they have to look like [−1, 1].
    """
    numbers = Span(option, *span)
    for path, name in dict.fromkeys(places):
        try:
            found = stored_shape(path, name)
            if not _fits(found, shape):
                raise UserError(_of_another_shape(option, path, found, shape, expected))
            if path.suffix.lower() not in ARRAYS:
                continue
            stored = read_stored(path, name)
        except UnreadableImage:
            continue
        if stored.white is None:
            numbers.add(path, signed(stored, unit))
    if unit is None:
        numbers.check()


def adapted(values: Tensor, shape: tuple[int, ...] | None, path: Path) -> Tensor:
    """`values` in the `shape` that is expected: a grey picture repeated over the channels, or one channel of a picture
    that is grey. None leaves them as they are.

    Raises:
        UnreadableImage: if they are not of that shape, or coloured where one channel is expected.
    """
    if shape is None or tuple(values.shape) == tuple(shape):
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


def _of_another_shape(
    option: str, path: Path, found: tuple[int, ...], shape: tuple[int, ...], expected: Expected
) -> str:
    images = f"the model's images are {_by(expected.image)}"
    right = f"of which the task measures {_by(shape)}" if option == "data.measurements" else "and nothing is resized"
    mend = "take a model and a task that fit, or make the files that size"
    if len(found) == 3 and (found[2], *found[:2]) == tuple(shape):
        mend = "its channels come last: transpose it to (C,H,W)"
    return f"{option}: {path} is {_by(found)}; {images}, {right}; {mend}"


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
