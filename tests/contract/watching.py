"""What would let the host wait for the device, seen on a CPU: whatever reads a number off it, or puts one on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from dsg.diffusion.noise import NoiseStreams, Purpose

# operations that on a GPU wait until it has come this far: a number is read, or how many rows there are
WAITS = frozenset(
    {
        "aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::_unique2",
        "aten::unique_dim", "aten::unique_consecutive", "aten::bincount", "aten::repeat_interleave",
        "aten::_linalg_check_errors", "aten::lift_fresh",  # the last is torch.tensor(...): a copy from the host
    }
)  # fmt: skip
# on a CPU these read the memory itself, and no operation is seen
READS = frozenset({torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.cpu, torch.Tensor.__array__})


class Waited(AssertionError):
    """The host waited for the device."""


class OnTheDevice(NoiseStreams):
    """Draws without a host: what streams give comes from it, and on a GPU by a copy that nobody waits for."""

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        return torch.randn(len(self), *shape)

    def uniform(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        return torch.rand(len(self), *shape)


@contextmanager
def nobody_waits() -> Iterator[None]:
    """Raise Waited, where it happens, at what would wait for a GPU."""
    with _Operations(), _Methods():
        yield


class _Operations(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to hide from a compiler that nobody uses here would load it, for seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().partition(".")[0]
        if name in WAITS or (name.startswith("aten::index") and _by_mask(args)):
            raise Waited(f"{func.name()} waits for the device")
        return func(*args, **(kwargs or {}))


class _Methods(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READS:
            raise Waited(f"Tensor.{func.__name__} waits for the device")
        return func(*args, **(kwargs or {}))


def _by_mask(args: Any) -> bool:
    """Whether one of the indices is a mask, whose rows are counted."""
    indices = args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else ()
    return any(isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)
