"""How long the network takes, and the decoder and the encoder of a model of latents, whichever method calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from callbacks.pass_time import PassTime
from dsg.diffusion.prediction import Prediction
from dsg.models.frozen import FrozenModel


class NetworkTime:
    """Seconds of the forward and backward passes through some modules, as PassTime counts them.

    Args:
        modules: each called with the state as its first argument; none is inside another.
        device: where they are.
    """

    def __init__(self, modules: Iterable[nn.Module], device: torch.device) -> None:
        self._passes = PassTime(device)
        self.take = self._passes.take
        self._handles = [
            handle
            for module in modules
            for handle in (module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave))
        ]

    def close(self) -> None:
        """Leave the modules alone."""
        for handle in self._handles:
            handle.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._passes.enter()

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        halves = (output.clean_estimate, output.epsilon) if isinstance(output, Prediction) else (output,)
        self._passes.leave(args[0], halves)


class MethodTime:
    """Seconds of the forward and backward passes through a method of a frozen model, `decode` or `encode`.

    Args:
        model: whose method it is.
        name: of the method, which takes one tensor and gives another.
        device: where it runs.
    """

    def __init__(self, model: FrozenModel, name: str, device: torch.device) -> None:
        self._model, self._name = model, name
        self._passes = PassTime(device)
        self.take = self._passes.take
        self._method = getattr(model, name)
        vars(model)[name] = self._timed

    def close(self) -> None:
        """Leave the method alone."""
        vars(self._model).pop(self._name, None)

    def _timed(self, state: Tensor) -> Tensor:
        self._passes.enter()
        output = self._method(state)
        self._passes.leave(state, (output,))
        return output
