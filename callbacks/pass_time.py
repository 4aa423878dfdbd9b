"""How long passes through a function take, forward and backward."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from dsg.module.device import moment, seconds_between, seconds_on


class PassTime:
    """Seconds of the passes between `enter` and `leave`, and of the backward passes through what was left.

    A forward pass is from `enter` to `leave`. A backward pass is from the moment when the gradient reaches an output to
    the one when it has left the input, whoever asked for it. On a GPU the moments are events in its stream, so that
    nothing waits before `take`.

    Args:
        device: where it runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._spans: list[tuple[Any, Any]] = []
        self._forward: Any = None
        self._backward: Any = None

    def take(self) -> float:
        """Seconds since the last call of this."""
        seconds_on(self._device)  # which waits
        spans, self._spans = self._spans, []
        return sum(seconds_between(start, end) for start, end in spans)

    def enter(self) -> None:
        self._forward = moment(self._device)

    def leave(self, state: Tensor, outputs: Iterable[Tensor]) -> None:
        """The end of a forward pass that was given `state`."""
        self._spans.append((self._forward, moment(self._device)))
        if not state.requires_grad:
            return
        state.register_hook(self._ends)
        for tensor in outputs:
            if tensor.requires_grad:
                tensor.register_hook(self._begins)

    def _begins(self, gradient: Tensor) -> None:
        if self._backward is None:  # of several outputs the first that the gradient reaches
            self._backward = moment(self._device)

    def _ends(self, gradient: Tensor) -> None:
        if self._backward is not None:
            self._spans.append((self._backward, moment(self._device)))
            self._backward = None
