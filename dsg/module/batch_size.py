"""The largest batch that a device's memory takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dsg.command.exit_codes import is_out_of_memory
from dsg.command.sharing import runs_sharing
from dsg.errors import UserError
from dsg.module.device import free_memory, give_back_memory
from dsg.module.trial import Trial

MOST, MOST_ON_CPU = 256, 16
"""Beyond these no image is faster, and what a killed run loses grows with the batch."""

SHARE, SHARE_ON_CPU = 0.9, 0.5
"""How much of the free memory a step may take; the rest is for metrics and for what the allocator cannot use, and on a
CPU for whatever else the machine does."""


@dataclass(frozen=True)
class Fit:
    """A batch that fits.

    Args:
        size: images, or whole problems.
        bytes_each: what each of them adds to what a guided step takes.
    """

    size: int
    bytes_each: float

    def __str__(self) -> str:
        return f"activation memory per image {self.bytes_each / 2**20:.3g} MiB, batches of {self.size}"


def given(trial: Trial, size: int) -> Fit:
    """A batch of `size`, once it is known to fit. Raises UserError, which names the largest that does, where not."""
    if (used := _or_none(trial.bytes, size)) is None:
        raise UserError(does_not_fit(trial, size))
    return Fit(size, used / size)


def largest(trial: Trial, most: int, sharing: int = 1) -> Fit:
    """The largest power of two, or `most` where that is not above the next, whose guided step fits the device's memory.

    On a CPU, where a step takes long and a process that wants too much is killed, from the memory of one image; on
    other devices each size is tried, until one does not fit or, by what the last doubling added, the next would not.

    Args:
        trial: of the evaluation, on its device.
        most: at least 1.
        sharing: how many processes of the run have the device's memory together.

    Raises:
        UserError: if not one image fits, or the device does not say how much memory is free.
    """
    device, on_cpu = trial.device, trial.device.type == "cpu"
    sharing *= runs_sharing(device.type)
    most = min(most, MOST_ON_CPU if on_cpu else MOST)
    if (free := free_memory(device)) is None:
        raise UserError(f"data.batch_size: {device} does not tell how much memory is free; take a number, not auto")
    room = (SHARE_ON_CPU if on_cpu else SHARE) * free / sharing
    found = _by_one(trial.bytes, most, room) if on_cpu else _by_trying(trial.bytes, most, room)
    give_back_memory(device)  # in the pieces that other sizes left there a batch may not find room
    if found is None:
        raise UserError(
            f"data.batch_size: a guided step of one image takes more than {room / 2**20:.0f} of the {free / 2**20:.0f} "
            f"MiB that are free on {device}; free some, take a smaller model, or try data.batch_size 1"
        )
    return found


def does_not_fit(trial: Trial, size: int) -> str:
    """What to say of a batch that ran out of memory; names the largest power of two below `size` that fits."""
    give_back_memory(trial.device)
    below = 2 ** ((size - 1).bit_length() - 1) if size > 1 else 0
    found = _by_trying(trial.bytes, below, math.inf) if below else None
    kept = "out of memory; finished images are kept"
    if found is None:
        return f"{kept}: not one image fits on {trial.device}; take a device with more memory, or a smaller model"
    return (
        f"{kept}: data.batch_size {size} does not fit on {trial.device}, and the largest power of two that does is "
        f"{found.size}; set data.batch_size to {found.size}, or to auto, and run again"
    )


def _by_one(used: Callable[[int], int], most: int, room: float) -> Fit | None:
    each, size = _or_none(used, 1), 1
    if each is None or each > room:
        return None
    while size < most and min(2 * size, most) * each <= room:
        size = min(2 * size, most)
    return Fit(size, each)


def _by_trying(used: Callable[[int], int], most: int, room: float) -> Fit | None:
    found, size, before = None, 1, (0, 0)
    while (now := _or_none(used, size)) is not None and now <= room:
        each = max((now - before[1]) / (size - before[0]), 0.0)
        found, before, following = Fit(size, each), (size, now), min(2 * size, most)
        # of the first alone it is not known what of it an image takes
        if following == size or (size > 1 and now + each * (following - size) > room):
            break
        size = following
    return found


def _or_none(used: Callable[[int], int], size: int) -> int | None:
    """Bytes of a batch of `size`; None where that is more than there is."""
    try:
        return used(size)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None
