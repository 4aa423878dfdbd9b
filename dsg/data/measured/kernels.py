"""Blur kernels from files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from torch import Tensor
from torch.nn.functional import pad

from dsg.data.measured.stored import read_plane, stored_shape
from dsg.errors import UnreadableImage, UserError

TOLERANCE = 0.01


def read_kernel(path: Path, name: str = "kernel") -> Tensor:
    """The kernel in a file, (h,w) float64, of any sides.

    A picture shows a kernel's shape and not its unit: it is divided by its sum. Real numbers are taken as they are, and
    have to sum to 1.

    Raises:
        UserError: if it is no plane, or real numbers do not sum to 1 within 1 %, or a picture is black.
        UnreadableImage: if it cannot be read.
    """
    kernel, white = read_plane(path, name, "data.kernels")
    total = kernel.sum().item()
    if total == 0:
        raise UserError(f"data.kernels: {path} is black: a blur sums to 1; give the kernel itself")
    if white is not None:
        return kernel / total
    if abs(total - 1) > TOLERANCE:
        raise UserError(
            f"data.kernels: {path} sums to {total:g}; a blur that keeps the brightness sums to 1: divide it by its sum"
        )
    return kernel


def odd_side(shape: tuple[int, ...]) -> int:
    """The least odd side of a square that holds a kernel of (..., h, w) with its centre in the middle."""
    return max(2 * (side // 2) + 1 for side in shape[-2:])


def common_side(places: Iterable[tuple[Path, str]]) -> int:
    """`odd_side` of all kernels together, from the files' heads; one that cannot be read fails when it is asked for."""
    sides = [1]
    for path, name in places:
        with suppress(UnreadableImage):
            sides.append(odd_side(stored_shape(path, name)))
    return max(sides)


def centred(kernel: Tensor, side: int | None = None) -> Tensor:
    """A kernel within zeros, (h,w) → (1,side,side): its centre, element (h // 2, w // 2), in the middle.

    Of an even side the centre is the pixel right or below of the middle, as scipy.ndimage.convolve has it.

    Args:
        kernel: of any sides.
        side: odd, at least `odd_side`, and that by default.
    """
    side = odd_side(kernel.shape) if side is None else side
    top, left = (side // 2 - length // 2 for length in kernel.shape)
    bottom, right = (side - before - length for before, length in zip((top, left), kernel.shape, strict=True))
    return pad(kernel, (left, right, top, bottom))[None]
