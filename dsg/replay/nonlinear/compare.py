"""Every number of a record, beside what our networks, tasks and methods make of the same inputs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from dsg.errors import UserError, first_line
from dsg.replay.edm.deviation import Deviation
from dsg.replay.nonlinear.clip import CLIPS
from dsg.replay.nonlinear.faces import FACES
from dsg.replay.nonlinear.latent_steps import LATENT_STEPS
from dsg.replay.nonlinear.pixel_steps import PIXEL_STEPS
from dsg.replay.nonlinear.read import DOUBLE, INPUTS, Record

Ours = Mapping[str, Tensor]
"""Our numbers by the name that they have in the record. Of a name X a record may keep parts, which are found here:
X_norm (‖X‖₂), X_subK (every Kth row and column), X_absmax_row (largest |X| of each row)."""

TABLE: Mapping[str, Callable[[Record], Ours]] = {**FACES, **CLIPS, **PIXEL_STEPS, **LATENT_STEPS}
"""Who takes a record again, by the name of its file, or by what that begins with: arcface, arcface_other."""

FROM_DOUBLE = 1e-6
FROM_SINGLE = 2e-5  # of what was recorded in float32 alone, unless the record says that it is farther from float64
INTEGERS = 2e-3  # share that may differ: likeliest classes at a rounding distance from each other


def takes(path: Path) -> Callable[[Record], Ours] | None:
    """Who takes the record at `path` again; None if it is no such record."""
    fitting = [name for name in TABLE if path.stem == name or path.stem.startswith(f"{name}_")]
    return TABLE[max(fitting, key=len)] if fitting and path.suffix == ".safetensors" else None


def records_at(path: Path) -> list[Path]:
    """The records of this kind that `path` is, or has in it."""
    if path.is_file():
        return [path] if takes(path) else []
    return [file for file in sorted(path.glob("*.safetensors")) if takes(file)]


def compare(path: Path) -> list[Deviation]:
    """A deviation each of what is recorded at `path`: max |ours − recorded|/max |recorded|, of integers the share that
    differs, NaN of a number that ours do not make.

    Raises:
        UserError: if it cannot be compared.
    """
    record, take = Record.of(path), takes(path)
    assert take is not None  # of `records_at`
    try:
        ours = take(record)
        return [_deviation(name, ours, record) for name in _names(record)]
    except UserError:
        raise
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(f"{path}: no record that can be compared ({first_line(error)})") from error


def _names(record: Record) -> list[str]:
    return sorted({name.removesuffix(DOUBLE) for name in record.tensors} - INPUTS)


def _deviation(name: str, ours: Ours, record: Record) -> Deviation:
    recorded, found = record.best(name), _part(name, ours)
    if found is None:
        return Deviation(f"{name}, which ours do not make", math.nan, FROM_DOUBLE)
    if found.numel() != recorded.numel():
        raise RuntimeError(f"{name} is {tuple(found.shape)} and in the record {tuple(recorded.shape)}")
    found = found.detach().reshape(recorded.shape)
    if not recorded.is_floating_point():
        return Deviation(name, _share_that_differs(name, found, recorded), INTEGERS)
    scale = recorded.double().abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    largest = ((found.double() - recorded.double()).abs().max() / scale).item()
    if name + DOUBLE in record.tensors:
        return Deviation(name, largest, FROM_DOUBLE)
    return Deviation(name, largest, max(FROM_SINGLE, 2.0 * record.single_error(name)))


def _share_that_differs(name: str, found: Tensor, recorded: Tensor) -> float:
    if name.endswith("_counts"):
        return ((found - recorded).abs().sum() / recorded.sum()).item()
    return (found != recorded).double().mean().item()


def _part(name: str, ours: Ours) -> Tensor | None:
    """Our number of that name, or the part of one that the name says."""
    if name in ours:
        return ours[name]
    for ending, part in _PARTS.items():
        match = re.fullmatch(rf"(\w+)_{ending}", name)
        if match and match[1] in ours:
            return part(ours[match[1]], *map(int, match.groups()[1:]))
    return None


_PARTS: Mapping[str, Callable[..., Tensor]] = {
    "norm": lambda x: x.norm(),
    r"sub(\d+)": lambda x, k: x[..., ::k, ::k],
    "absmax_row": lambda x: x.abs().amax(dim=(0, 1, 3)),
}
