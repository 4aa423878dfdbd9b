"""What an engine is: it runs a score model's network, and what it answers is the same function but for rounding."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from dsg.types import State, at_least_float32


class Engine(ABC):
    """Runs a frozen network forward, and backward to its input.

    One engine belongs to one network. A score model calls `prepare` once, when the weights are there, and then `call`.
    """

    def prepare(self, network: nn.Module) -> nn.Module:
        """The network as it is kept, with weights of the same names."""
        return network

    def call(self, network: nn.Module, x_t: State, t: float, condition: object = None) -> State:
        """network(x_t, t[, condition]) → (B, ...), float32 or better and differentiable in `x_t`.

        The timestep keeps the precision of `x_t`, float32 at least, where every step of a table is distinct.
        """
        times = torch.full((len(x_t),), t, dtype=at_least_float32(x_t).dtype, device=x_t.device)
        return at_least_float32(self.run(network, x_t, times, condition))

    @abstractmethod
    def run(self, network: nn.Module, x_t: State, times: Tensor, condition: object) -> State:
        """The network's answer to (B, *shape) and (B,), in whatever precision; `condition` is None without one."""

    def notes(self, network: nn.Module) -> list[str]:
        """What whoever starts an evaluation should be told, a line each."""
        return []

    def forget(self) -> None:
        """Let go of what was made for the batches so far: those that come are of another size."""

    def summary(self) -> dict[str, object]:
        """What it did, for the record of a run."""
        return {}


def engines_of(module: nn.Module) -> list[Engine]:
    """The engines of all score models inside `module`."""
    found = (getattr(part, "engine", None) for part in module.modules())
    return [engine for engine in found if isinstance(engine, Engine)]


def answer_of(network: object, *arguments: object) -> Tensor:
    """network(*arguments); of an object with a `sample` (diffusers) that tensor. A None at the end is left out."""
    told = arguments[:-1] if arguments[-1] is None else arguments
    output = network(*told)  # type: ignore[operator]
    return getattr(output, "sample", output)
