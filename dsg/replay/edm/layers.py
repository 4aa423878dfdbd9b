"""A recorded layer or function: its file names it, and holds its arguments, weights, inputs and output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.edm.layers import Conv2d, FourierEmbedding, PositionalEmbedding, group_norm
from dsg.models.edm.magnitude import MPConv, MPFourier, mp_cat, mp_silu, mp_sum, normalize, resample
from dsg.models.edm.magnitude_block import Block
from dsg.models.edm.unet_block import UNetBlock
from dsg.replay.edm.deviation import Deviation, largest
from dsg.replay.record import read_record

_MODULES: dict[str, Callable[..., nn.Module]] = {
    "Conv2d": Conv2d,
    "GroupNorm": lambda num_channels, eps: group_norm(num_channels, eps),
    "PositionalEmbedding": PositionalEmbedding,
    "FourierEmbedding": FourierEmbedding,
    "UNetBlock": UNetBlock,
    "MPConv": MPConv,
    "MPFourier": MPFourier,
    "Block": Block,
}
_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "mp_cat": mp_cat,
    "mp_silu": mp_silu,
    "mp_sum": mp_sum,
    "normalize": normalize,
    "resample": lambda x, mode, f: resample(x, mode),  # f is [1, 1] in every network
}
_INPUTS = ("x", "a", "b", "emb")


def layer_output(path: Path) -> Deviation:
    """The output of one layer."""
    record, metadata = read_record(path)
    name, arguments = metadata["class_name"], json.loads(metadata["kwargs"])
    inputs = [record[key] for key in _INPUTS if key in record]
    if name in _FUNCTIONS:
        ours = _FUNCTIONS[name](*inputs, **arguments)
    elif name in _MODULES:
        ours = _called(_MODULES[name], arguments, record, inputs)
    else:
        raise UserError(f"{path}: no layer is called {name!r}")
    return Deviation(path.stem, largest(ours.detach(), record["out"]), float(metadata["tolerance"]))


def _called(
    make: Callable[..., nn.Module], arguments: dict[str, Any], record: dict[str, Tensor], inputs: list[Tensor]
) -> Tensor:
    told = {key.removeprefix("call."): value for key, value in arguments.items() if key.startswith("call.")}
    layer = make(**{key: value for key, value in arguments.items() if not key.startswith("call.")}).eval()
    layer.load_state_dict(
        {name.removeprefix("weights."): tensor for name, tensor in record.items() if name.startswith("weights.")}
    )
    return layer(*inputs, **told)
