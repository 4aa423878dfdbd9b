"""Normal numbers that threads draw, perhaps before anybody asks for them.

numpy lets go of Python's lock while it draws, so that the rows of a batch are drawn side by side, and the next ones
while the device computes with the last. The numbers are those that the streams would have given in the same order:
threads draw from copies of the generators, and a generator goes on only when somebody takes what its copy drew. What
nobody takes is forgotten, and was never drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import torch
from torch import Tensor

StreamState = Any  # of a bit generator, as numpy tells it


class Draw:
    """One draw of a batch, that threads make from now on.

    A tensor in pinned memory is a new one each time. Its memory is torch's to give out again, and torch does so only
    when the copy to the device, of which it took note, is done.

    Args:
        generators: one a row; they stay where they are until `take`.
        shape: of a row.
        threads: who draws.
        shares: into how many jobs the rows are dealt out, at least 1.
        pinned: whether the numbers lie where a device can fetch them while the host goes on.
    """

    def __init__(
        self,
        generators: Sequence[np.random.Generator],
        shape: Sequence[int],
        threads: Executor,
        shares: int,
        pinned: bool = False,
    ) -> None:
        self._generators, self._shape = generators, tuple(shape)
        self._begin: list[StreamState] = [generator.bit_generator.state for generator in generators]
        self._values = torch.empty(len(generators), *shape, pin_memory=pinned, dtype=torch.float32)
        self._dropped = False
        self._shares: list[Future[list[StreamState]]] = [
            threads.submit(self._fill, slice(first, None, shares)) for first in range(shares)
        ]

    def is_next(self, shape: Sequence[int]) -> bool:
        """Whether rows of `shape` that are drawn now are these: nobody has drawn from the generators since."""
        states = [generator.bit_generator.state for generator in self._generators]
        return tuple(shape) == self._shape and states == self._begin

    def take(self) -> Tensor:
        """The numbers, float32, (B, *shape), for which the generators go on. Raises what a thread has raised."""
        ends = [share.result() for share in self._shares]  # all, so that a failure leaves every generator where it was
        for first, share in enumerate(ends):
            for generator, end in zip(self._generators[first :: len(ends)], share, strict=True):
                generator.bit_generator.state = end
        return self._values

    def drop(self) -> None:
        """Nobody will take it: a row that is not begun is not drawn."""
        self._dropped = True
        for share in self._shares:
            share.cancel()

    def _fill(self, which: slice) -> list[StreamState]:
        """Draw some of the rows; returns where their streams are then."""
        ends = []
        for row, begin in zip(self._values.numpy()[which], self._begin[which], strict=True):
            if self._dropped:
                break
            bits = np.random.PCG64DXSM(0)
            bits.state = begin
            np.random.Generator(bits).standard_normal(dtype=np.float32, out=row)
            ends.append(bits.state)
        return ends
