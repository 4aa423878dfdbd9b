"""How long the network takes, whichever method calls it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dsg.diffusion.prediction import Prediction
from dsg.module.device import moment, seconds_between, seconds_on


class NetworkTime:
    """Seconds of the forward and backward passes through some modules.

    A forward pass is from a module's call to its return. A backward pass is from the moment when the gradient reaches
    the module's output to the one when it has left its input, whoever asked for it. On a GPU the moments are events in
    its stream, so that nothing waits before `take`.

    Args:
        modules: each called with the state as its first argument; none is inside another.
        device: where they are.
    """

    def __init__(self, modules: Iterable[nn.Module], device: torch.device) -> None:
        self._device = device
        self._spans: list[tuple[Any, Any]] = []
        self._forward: Any = None
        self._backward: Any = None
        self._handles = [
            handle
            for module in modules
            for handle in (module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave))
        ]

    def take(self) -> float:
        """Seconds since the last call of this."""
        seconds_on(self._device)  # which waits
        spans, self._spans = self._spans, []
        return sum(seconds_between(start, end) for start, end in spans)

    def close(self) -> None:
        """Leave the modules alone."""
        for handle in self._handles:
            handle.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._forward = moment(self._device)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._spans.append((self._forward, moment(self._device)))
        state = args[0]
        if not state.requires_grad:
            return
        state.register_hook(self._ends)
        halves = (output.clean_estimate, output.epsilon) if isinstance(output, Prediction) else (output,)
        for tensor in halves:
            if tensor.requires_grad:
                tensor.register_hook(self._begins)

    def _begins(self, gradient: Tensor) -> None:
        if self._backward is None:  # of several outputs the first that the gradient reaches
            self._backward = moment(self._device)

    def _ends(self, gradient: Tensor) -> None:
        if self._backward is not None:
            self._spans.append((self._backward, moment(self._device)))
            self._backward = None
