"""What tensors take at most, on a device that keeps no account of it, as a CPU."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from dsg.command.private_interfaces import watch_operations


class LiveBytes:
    """Bytes of all memory that operations made and that is not yet free again.

    What autograd keeps for the backward pass is in it, as are the results between; what an operation takes for itself
    and gives back before it ends is not.
    """

    def __init__(self) -> None:
        self.peak = 0
        """The most that there was at a time."""
        self._now = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is made inside it."""
        with watch_operations(self._add):
            yield

    def _add(self, given: Sequence[Tensor], made: Sequence[Tensor]) -> None:
        before = {id(tensor.untyped_storage()) for tensor in given}
        for tensor in made:
            storage = tensor.untyped_storage()
            if id(storage) not in before and id(storage) not in self._known:
                self._hold(storage)

    def _hold(self, storage: torch.UntypedStorage) -> None:
        name, size = id(storage), storage.nbytes()

        def freed(_: weakref.ref[torch.UntypedStorage]) -> None:
            del self._known[name]
            self._now -= size

        self._known[name] = weakref.ref(storage, freed)
        self._now += size
        self.peak = max(self.peak, self._now)
