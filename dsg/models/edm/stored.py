"""A published network as it lies on disk: a pickle, or the same as safetensors beside a `config.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from dsg.errors import UserError, first_line
from dsg.models.checkpoint import read_state_dict
from dsg.models.edm.holders import HeldArray, HeldObject, HeldTensor
from dsg.models.edm.pickled import read_pickle

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
_DEEPEST = 6


@dataclass(frozen=True)
class StoredNetwork:
    """What a file says of a network.

    Args:
        class_name: of its preconditioning.
        arguments: of that one's constructor.
        options: those by name.
        tensors: the state dict.
        encoder: class name and attributes of what its states were made with (EDM2); empty where nothing is said.
        files: name that is told → path, of everything that was read.
    """

    class_name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    tensors: dict[str, Tensor]
    encoder: dict[str, Any]
    files: dict[str, Path]


def read_network(path: str | Path) -> StoredNetwork:
    """The network of a `.pkl`, of a folder with `config.json` and `weights.safetensors`, or of such a file of weights.

    Raises:
        UserError: if there is no such thing, or it cannot be read, holds code, or holds no network.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        place = place / WEIGHTS
    if not place.is_file():
        raise UserError(f"checkpoint {place}: no such file; give EDM's .pkl, or a folder with {CONFIG} and {WEIGHTS}")
    return _of_safetensors(place) if place.suffix == ".safetensors" else _of_pickle(place)


def _of_safetensors(file: Path) -> StoredNetwork:
    config_file = file.parent / CONFIG
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"checkpoint {file}: {config_file} cannot be read ({error.strerror}), which says what network it is of; "
            "python -m dsg.models.edm.convert makes both of a .pkl"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{config_file}: no JSON ({first_line(error)}); correct it") from error
    try:
        name, arguments, options = config["class_name"], config.get("init_args", []), config["init_kwargs"]
        encoder = config.get("encoder", {})
        if not (isinstance(name, str) and isinstance(arguments, list) and isinstance(options | encoder, dict)):
            raise TypeError
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{config_file}: must hold class_name, init_args (a list) and init_kwargs (by name); correct it"
        ) from error
    files = {CONFIG: config_file, file.name: file}
    return StoredNetwork(name, tuple(arguments), options, read_state_dict(file), encoder, files)


def _of_pickle(file: Path) -> StoredNetwork:
    content = read_pickle(file)
    network = content.get("ema")
    if not isinstance(network, HeldObject):
        found = ", ".join(str(key)[:30] for key in list(content)[:5]) or "nothing"
        raise UserError(
            f"checkpoint {file}: has no network under ema, but {found}; take a network-snapshot-*.pkl, or what is "
            "published as such"
        )
    arguments, options = network.state.get("_init_args", ()), network.state.get("_init_kwargs")
    if not isinstance(arguments, list | tuple) or not isinstance(options, dict):
        raise UserError(
            f"checkpoint {file}: {network.class_name} does not say what it was made of (_init_kwargs); "
            "take a file that EDM's own training wrote"
        )
    encoder = content.get("encoder")
    try:
        tensors, arguments, options = dict(_tensors(network)), tuple(_plain(list(arguments))), _plain(options)
        told = {"class_name": encoder.class_name, **_plain(encoder.state)} if isinstance(encoder, HeldObject) else {}
    except (TypeError, AttributeError, KeyError) as error:
        raise UserError(f"checkpoint {file}: {network.class_name} is no network of torch; take another file") from error
    return StoredNetwork(network.class_name, arguments, options, tensors, told, {file.name: file})


def _tensors(module: HeldObject, prefix: str = "", seen: frozenset[int] = frozenset()) -> Iterator[tuple[str, Tensor]]:
    """The state dict of a module: of its parameters, of those of its buffers that are kept, and of its children."""
    left_out = module.state.get("_non_persistent_buffers_set", ())
    kept = {name: buffer for name, buffer in module.state["_buffers"].items() if name not in left_out}
    for name, held in {**module.state["_parameters"], **kept}.items():
        if held is not None:
            if not isinstance(held, HeldTensor):
                raise TypeError("no tensor")
            yield prefix + name, held.tensor
    inside = seen | {id(module)}
    for name, child in module.state["_modules"].items():
        if id(child) in inside or len(inside) > _DEEPEST:
            raise TypeError("modules inside of each other")
        if child is not None:
            yield from _tensors(child, f"{prefix}{name}.", inside)


def _plain(value: Any, depth: int = 0) -> Any:
    """What JSON can hold of a value; other things are left out of dictionaries."""
    if depth > _DEEPEST:
        raise TypeError("too deep")
    if isinstance(value, Mapping):
        inner = {str(key): part for key, part in value.items() if not isinstance(part, HeldObject | HeldTensor)}
        return {key: _plain(part, depth + 1) for key, part in inner.items() if not key.startswith("_")}
    if isinstance(value, list | tuple | set):
        return [_plain(part, depth + 1) for part in value]
    if isinstance(value, HeldArray):
        return value.array.tolist()
    return value.item() if isinstance(value, np.generic) else value
