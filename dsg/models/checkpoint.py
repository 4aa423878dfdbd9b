"""Reading weights from files without running what is in them, and loading them without a silent mismatch."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError, first_line
from dsg.models.entries import find_entry
from dsg.models.stored_schedule import check_stored_schedule, without_tables
from dsg.models.weights import WeightFiles

Shapes = Mapping[str, tuple[int, ...]]
_SHOWN = 3


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """What a file holds, by name, with its tensors on the CPU.

    `.safetensors`, or what `torch.save` wrote (any ending). Pickled code is refused, never executed.

    Raises:
        UserError: if the file is missing, truncated, no checkpoint, or wants code to be run.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"checkpoint {file}: no such file; download it or correct the path")
    content = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    if not isinstance(content, Mapping):
        raise UserError(
            f"checkpoint {file}: a {type(content).__name__}, no state dict; save the network's state_dict()"
        )
    return dict(content)


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file that holds nothing else, by name.

    Raises:
        UserError: as `read_checkpoint`, and if it is not a flat state dict.
    """
    content = read_checkpoint(path)
    if not all(isinstance(value, Tensor) for value in content.values()):
        entries = ", ".join(map(str, list(content)[:5]))
        raise UserError(
            f"checkpoint {path}: not a flat state dict but the entries {entries}; save the network's state_dict() alone"
        )
    return content


def check_names(expected: Shapes, found: Mapping[str, Tensor], path: str | Path, advice: str = "") -> None:
    """Refuse a state dict whose names or shapes are not exactly `expected`.

    Args:
        expected: every name and its shape.
        found: the tensors by name.
        path: the file, and the place in it.
        advice: how to mend it.

    Raises:
        UserError: names the file, how many entries disagree, and the first few of each sort.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    missing = [f"{name} {shape}" for name, shape in expected.items() if name not in shapes]
    foreign = [f"{name} {shape}" for name, shape in shapes.items() if name not in expected]
    differing = [
        f"{name} {shapes[name]} instead of {shape}"
        for name, shape in expected.items()
        if name in shapes and shapes[name] != shape
    ]
    kinds = [("missing", missing), ("unknown", foreign), ("of another shape", differing)]
    shown = 1 if advice else _SHOWN
    faults = [f"{len(names)} {kind}: {_first(names, shown)}" for kind, names in kinds if names]
    if foreign and not (missing or differing or advice):
        advice = "; if they are no part of the network, take them out of the file"
    if faults:
        raise UserError(f"checkpoint {path} does not fit the network's options: {'; '.join(faults)}{advice}")


def check_kinds(network: nn.Module, found: Mapping[str, Tensor], path: str | Path) -> None:
    """Refuse tensors that hold another kind of number than the network's, which would be cut off or lost.

    Args:
        network: whose names `found` has.
        found: the tensors by name.
        path: the file, and the place in it.

    Raises:
        UserError: names the first one.
    """
    for name, tensor in network.state_dict().items():
        if (other := found.get(name)) is None:
            continue
        lies = other.layout == torch.strided and not other.is_meta
        kinds = [(t.is_floating_point(), t.is_complex()) for t in (tensor, other)]
        counted = lies and kinds == [(False, False), (True, False)] and bool((other == other.round()).all())
        if not lies or (kinds[0] != kinds[1] and not counted):  # a count may have been saved as a whole float
            kind = "meta" if other.is_meta else f"{other.dtype}, {other.layout}".removesuffix(", torch.strided")
            raise UserError(f"checkpoint {path}: {name} is {kind}, where the network has {tensor.dtype}; save it so")


def parameters_of(network: nn.Module) -> list[str]:
    """The names of what a training changes, in the network's order; of a frozen network those of all parameters."""
    named = list(network.named_parameters())
    return [name for name, p in named if p.requires_grad] or [name for name, _ in named]


def load_exactly(network: nn.Module, path: str | Path, schedule: Schedule | None = None) -> WeightFiles:
    """Load `path` into `network`; every parameter and buffer has to be in the file, and nothing else beside them.

    Entries and prefixes of trainings are seen through, as `find_entry` says.

    Args:
        network: any module.
        path: the file.
        schedule: the network's, where it has one: a table beside the weights has to be the same.

    Returns:
        What tells the file's hash.

    Raises:
        UserError: as `read_checkpoint`, `find_entry` and `check_names`.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    content = read_checkpoint(path)
    entry = find_entry(content, expected, path, parameters=parameters_of(network))
    tensors = entry.tensors if schedule is None else without_tables(entry.tensors, expected)
    check_names(expected, tensors, f"{path}{entry.label}")
    check_kinds(network, tensors, f"{path}{entry.label}")
    if schedule is not None:
        check_stored_schedule(content, schedule, path)
    network.load_state_dict(tensors)
    return WeightFiles({f"{Path(path).name}{entry.label}": path})


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise unreadable(file, error) from error


def _read_torch(file: Path) -> object:
    mapped = zipfile.is_zipfile(file)  # files from before torch 1.6 are no archives and cannot be memory-mapped
    if mapped and _is_torchscript(file):
        raise UserError(
            f"checkpoint {file}: is TorchScript, a program, and is not run in the place of weights; save the network's "
            "state_dict() with torch.save"
        )
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        if wanted := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"checkpoint {file}: refused, since loading it would run code ({wanted[1]}); "
                "ask its author for plain weights (a state dict or .safetensors)"
            ) from error
        raise unreadable(file, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise unreadable(file, error) from error


def _is_torchscript(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(Path(name).name == "constants.pkl" for name in archive.namelist())
    except zipfile.BadZipFile:  # damaged: torch says how
        return False


def unreadable(file: Path, error: Exception) -> UserError:
    """What to say of a file that is there and cannot be read as weights."""
    with file.open("rb") as handle:
        if b"git-lfs" in handle.readline(64):
            return UserError(f"checkpoint {file}: a pointer of Git LFS, not the file itself; run `git lfs pull` there")
    reason = first_line(error, 120)
    if reason.startswith("Weights only load failed"):  # what follows is advice to load it all the same
        reason = "no weights as torch.save writes them"
    size = file.stat().st_size
    return UserError(
        f"checkpoint {file}: truncated or no checkpoint ({size} bytes; {reason}); download it again, compare the size"
    )


def _first(names: list[str], shown: int) -> str:
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
