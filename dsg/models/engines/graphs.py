"""A network's passes as CUDA graphs: one launch instead of hundreds."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import torch
from torch import Tensor, nn


class Graphs:
    """Calls a network by replaying its recorded kernels, forward and backward.

    A batch size is recorded when it comes for the second time, and forgotten when another one comes, so that no two
    recordings, and no recording beside a batch that runs without, need memory. A recording holds one call's
    activations: while a call still waits for its backward, as the first of two under classifier-free guidance, the next
    one runs without.

    Args:
        network: called as (x, times, labels or None); frozen, on a GPU.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._shape: torch.Size | None = None
        self._recorded: Any = None
        self._waiting: weakref.ref | None = None

    def __call__(self, x: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        """As the network."""
        told = (x, times) if labels is None else (x, times, labels)
        if x.shape != self._shape:
            self.forget()
            self._shape = x.shape
            return self.network(*told)
        if self._waiting is not None and self._waiting() is not None:
            return self.network(*told)
        if self._recorded is None:
            self._recorded = self._record(told)
        if x.requires_grad:
            x = x.view_as(x)
            x.register_hook(torch.clone)  # as the answer, the gradient lies where the next call writes
        answer = self._recorded(x, *told[1:])
        # a graph lives until its backward has come, or until nobody can ask for it any more
        self._waiting = None if answer.grad_fn is None else weakref.ref(answer.grad_fn)
        return answer.clone()

    def forget(self) -> None:
        """Give back the memory of the recording, which is in circles of references."""
        if self._recorded is not None:
            self._recorded = self._waiting = None
            gc.collect()
            torch.cuda.empty_cache()

    def _record(self, told: tuple[Tensor, ...]) -> Any:
        example = tuple(part.detach().clone().requires_grad_(part is told[0]) for part in told)
        with torch.enable_grad():
            # of a module it would replace `forward`, and no call could run without
            return torch.cuda.make_graphed_callables(lambda *given: self.network(*given), example)
