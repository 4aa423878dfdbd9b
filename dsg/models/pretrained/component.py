"""One network in a folder of its own: building it without a weight, and loading weights that fit to the last name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dsg.errors import UserError, first_line
from dsg.models.checkpoint import check_kinds, check_names, parameters_of, read_checkpoint
from dsg.models.entries import find_entry

_N = TypeVar("_N", bound=nn.Module)
_DRAWS = ("normal_", "uniform_")


@dataclass(frozen=True)
class Component:
    """A part of a pipeline.

    Args:
        name: its folder's, as `unet`; empty for a network that is no part of a pipeline.
        class_name: of the network, as the pipeline's index says.
        config: what its config.json holds.
        config_file: where that lies.
        weights: its files of weights.
    """

    name: str
    class_name: str
    config: dict[str, Any]
    config_file: Path
    weights: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        return self.config_file.parent

    def files(self, label: str = "") -> dict[str, Path]:
        """Its configuration and weights by the names under which their hashes are told.

        Args:
            label: where in the weights the network was, as `load_weights` says.
        """
        place = f"{self.name}/" if self.name else ""
        told = {f"{place}{self.config_file.name}": self.config_file}
        return told | {f"{place}{file.name}{label}": file for file in self.weights}


def from_config(kind: type[_N], config: dict[str, Any]) -> _N:
    """A network of diffusers of the keys that its class knows; older and other classes write more."""
    known = inspect.signature(kind.__init__).parameters
    return kind(**{key: value for key, value in config.items() if key in known})


def build(make: Callable[[], _N], file: Path, library: str = "diffusers") -> _N:
    """What `make` builds, without weights: on no device, so that it costs next to nothing, and in evaluation mode.

    Args:
        make: builds the network.
        file: its configuration, for messages.
        library: whose network it is, for messages.

    Raises:
        UserError: if it cannot be built.
    """
    try:
        with torch.device("meta"):  # no weight exists until the file gives it
            return make().eval()
    except Exception as error:  # a configuration is foreign input, and the library raises what Python raises
        reason = first_line(error)
        raise UserError(f"{file}: {library} cannot build this network ({reason}); correct the file") from error


def answer_to(
    network: Callable[..., Any], shape: tuple[int, ...], told: object, file: Path, what: str, mend: str
) -> Tensor:
    """network(x, t, told) of one state, on the device `meta`, where it costs nothing.

    Args:
        network: of `build`, or around one.
        shape: of the state.
        told: what the network hears besides, or None.
        file: its configuration, for messages.
        what: it is given, for messages.
        mend: what to do where it cannot take that.

    Raises:
        UserError: if it cannot take that.
    """
    try:
        with torch.no_grad():
            answer = network(torch.zeros(1, *shape, device="meta"), torch.ones(1, device="meta"), told)
    except Exception as error:  # a configuration is foreign input, and the library raises what Python raises
        raise UserError(f"{file}: the network cannot take {what} ({first_line(error)}); {mend}") from error
    return getattr(answer, "sample", answer)


def load_weights(
    network: nn.Module,
    files: Sequence[Path],
    make: Callable[[], nn.Module],
    rename: Callable[[str], str] = str,
    left_out: Collection[str] = (),
    dtype: torch.dtype | None = torch.float32,
    advise: Callable[[Collection[str]], str] | None = None,
    tied: Mapping[str, str] | None = None,
) -> str:
    """Load weights from one file or several shards into what `build` made; every name has to be there, and no other.

    Args:
        network: of `build`.
        files: all its files.
        make: as `build` had it; called again where the network has tables that no file holds.
        rename: a name in the file → as it is now.
        left_out: (renamed) names of tables that older files hold and the network computes.
        dtype: of the weights, whatever the file's; null leaves it.
        advise: of the names in the file, how to mend it if they do not fit.
        tied: of the network's names those that are the same tensor as another one, with that; a file may lack them.

    Returns:
        Where in the files the network was, to be told with their hashes.

    Raises:
        UserError: if they cannot be read, or do not fit to the last name.
    """
    tied = tied or {}
    content: dict[str, Any] = {}
    for file in files:
        part = read_checkpoint(file)
        if twice := content.keys() & part.keys():
            raise UserError(f"{file}: has {min(twice)}, as another shard has; download the shards again")
        content.update(part)
    named = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if name not in tied}
    entry = find_entry(content, expected, named, rename, parameters_of(network))
    del content
    tensors = {name: tensor for name, tensor in entry.tensors.items() if name not in left_out and name not in tied}
    check_names(expected, tensors, f"{named}{entry.label}", advise(tensors) if advise else "")
    check_kinds(network, tensors, f"{named}{entry.label}")
    entry.tensors.clear()  # of a large network two copies fit into memory, and three do not
    state = {name: _as(tensors.pop(name), dtype) for name in expected}
    state |= {name: state[source] for name, source in tied.items()}
    network.load_state_dict(state, assign=True)
    _compute_tables(network, make)
    return entry.label


def _as(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor.to(dtype if tensor.is_floating_point() else None, copy=True)


def _compute_tables(network: nn.Module, make: Callable[[], nn.Module]) -> None:
    """Give the buffers that no file holds, as embeddings of positions, what the constructor computes."""
    missing = [name for name, buffer in network.named_buffers() if buffer.is_meta]
    if not missing:
        return
    with _NoRandomDraws():  # storage that nobody touches costs nothing, and the global generator stays as it was
        computed = dict(make().named_buffers())
    for name in missing:
        owner, _, last = name.rpartition(".")
        network.get_submodule(owner).register_buffer(last, computed[name], persistent=False)


class _NoRandomDraws(TorchFunctionMode):
    """While this is open, weights are left as they are in place of being drawn."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init" or getattr(func, "__name__", None) in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
