"""The network as it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsg.models.engines.base import Engine, answer_of
from dsg.types import State


class Plain(Engine):
    """The network as its authors wrote it, in the precision that the Trainer gives it.

    Args:
        channels_last: keep weights and activations in the channels-last memory format. Whether that is faster depends
            on machine and precision.
    """

    def __init__(self, channels_last: bool = False) -> None:
        self.channels_last = channels_last

    def prepare(self, network: nn.Module) -> nn.Module:
        return network.to(memory_format=torch.channels_last) if self.channels_last else network  # type: ignore[call-overload]

    def run(self, network: nn.Module, x_t: State, times: Tensor, condition: object) -> State:
        return answer_of(network, self.state_for(network, x_t), times, condition)

    def state_for(self, network: nn.Module, x_t: State) -> State:
        """The state in the precision of the weights, which bf16-true makes bfloat16, and in their memory format."""
        weights = next((p for p in network.parameters() if p.is_floating_point()), x_t)
        x = x_t.to(weights.dtype)
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last and x.ndim == 4 else x
