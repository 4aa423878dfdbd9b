"""A network's passes as CUDA graphs: one launch instead of hundreds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Graphs:
    """Calls a network by replaying its recorded kernels, forward and backward, for the batch size that comes first.

    What one call answers is overwritten by the next: whoever keeps it copies it, as a cast to float32 does. The
    backward of a call comes before the next call.

    Args:
        network: called as (x, times, labels or None); frozen, on a GPU.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._shape: torch.Size | None = None
        self._recorded: Any = None

    def __call__(self, x: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        """As the network."""
        told = (x, times) if labels is None else (x, times, labels)
        if self._recorded is None:
            self._shape = x.shape
            example = tuple(part.detach().clone().requires_grad_(part is x) for part in told)
            with torch.enable_grad():
                self._recorded = torch.cuda.make_graphed_callables(self.network, example)
        return self._recorded(*told) if x.shape == self._shape else self.network(*told)
