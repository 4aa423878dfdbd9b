"""What a network says on its way: the output of one of the modules inside it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from dsg.errors import UserError


class _Reached(Exception):
    """The output of the layer: what comes after it is not computed."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output


def find_layer(network: nn.Module, name: str) -> nn.Module:
    """The module of that name, as `named_modules` has it.

    Raises:
        UserError: if there is none; names the nearest ones.
    """
    layers = {found: module for found, module in network.named_modules() if found}
    if name not in layers:
        near = get_close_matches(name, layers, n=3, cutoff=0.3) or list(layers)[:3]
        raise UserError(
            f"layer: {type(network).__name__} has no {name!r}, but {', '.join(near) or 'no layers'}; take a name that "
            "its named_modules() have"
        )
    return layers[name]


def output_of(layer: nn.Module, network: nn.Module, *inputs: Tensor) -> Tensor:
    """What `layer` says when the network is asked about `inputs`; of several outputs the first. Differentiable.

    Raises:
        UserError: if the network does not ask the layer.
    """

    def stop(module: nn.Module, given: Any, output: Any) -> None:
        raise _Reached(output[0] if isinstance(output, tuple) else output)

    handle = layer.register_forward_hook(stop)
    try:
        network(*inputs)
    except _Reached as reached:
        return reached.output
    finally:
        handle.remove()
    raise UserError(f"layer: {type(network).__name__} answers without asking its {type(layer).__name__}; take another")
