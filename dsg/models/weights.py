"""Which weights a network has, told by hash: what a run records, so that another file of the same name is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from dsg.errors import UserError


class WeightFiles:
    """The files that weights were read from.

    A file is hashed when that is first asked, and once: of many processes only the one that records pays for it. One
    that has changed in between is refused, so that no hash is told of other weights.

    Args:
        files: path of each by the name that is told, which says nothing of where on this machine it lies.

    Raises:
        UserError: if a file is missing; from `hashes`, if one has changed.
    """

    def __init__(self, files: Mapping[str, str | Path] | None = None) -> None:
        self._files = {name: Path(path).expanduser() for name, path in (files or {}).items()}
        self._seen = {name: _state(path) for name, path in self._files.items()}
        self._hashes: dict[str, str] = {}

    def hashes(self) -> dict[str, str]:
        """`sha256:` and 64 hexadecimal digits of each file, by name."""
        for name in self._files.keys() - self._hashes.keys():
            self._hashes[name] = self._hash(name)
        return {name: self._hashes[name] for name in self._files}

    def _hash(self, name: str) -> str:
        path = self._files[name]
        digest = sha256(path)
        if _state(path) != self._seen[name]:
            raise UserError(f"checkpoint {path}: has changed since it was loaded; start the command again")
        return f"sha256:{digest}"


class TellsWeights:
    """Beside `nn.Module`: a network that says which weights it has. Whoever loads them sets `weight_files`."""

    weight_files: WeightFiles | None = None

    @property
    def weights(self) -> dict[str, str]:
        """Name of each file of weights → `sha256:...`; empty where nothing was loaded, as of a closed form."""
        return {} if self.weight_files is None else self.weight_files.hashes()


def weights_of(module: nn.Module) -> dict[str, str]:
    """The weights of all networks inside `module`, by their place in it and the file's name.

    Of a `GuidedDiffusion`: `score_model/ffhq_10m.pt`, `task_networks.0/classifier_guide.safetensors`.
    """
    return {
        f"{place}/{name}" if place else name: digest
        for place, part in module.named_modules()
        if isinstance(part, TellsWeights)
        for name, digest in part.weights.items()
    }


def sha256(file: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_of_tensors(network: nn.Module) -> str:
    """SHA-256 over the names, types, shapes and bytes of all parameters and buffers; 64 hexadecimal digits.

    For a network that came from no file. It is of the weights as they are now: in another precision they are others.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"checkpoint {path}: cannot be read ({error.strerror}); correct the path") from error
    return status.st_size, status.st_mtime_ns
