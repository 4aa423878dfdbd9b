"""Weights and noise by a rule that both sides of a record follow, so that no weights lie in it.

A tensor is a + b z, z normal and seeded by its name. What a and b are hangs on the name and the shape alone: a layer
with n inputs has b = gain/√n, so that activations neither vanish nor grow.
"""

from __future__ import annotations

import math
import tempfile
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

Shapes = Mapping[str, tuple[int, ...]]
_Network = TypeVar("_Network", bound=nn.Module)


def normal(name: str, shape: Collection[int]) -> Tensor:
    """z, float32: standard normal numbers of a generator whose seed is the CRC-32 of the name."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return torch.from_numpy(np.asarray(generator.standard_normal(tuple(shape), dtype=np.float32)))


def state_by_rule(shapes: Shapes, gain: float = 1.0, gains: Mapping[str, float] | None = None) -> dict[str, Tensor]:
    """A state dict, float32 (counters int64).

    Args:
        shapes: of every tensor, by its published name.
        gain: of all layers.
        gains: of single layers, in addition.
    """
    gains = gains or {}
    return {name: _tensor(name, shape, shapes, gain * gains.get(name, 1.0)) for name, shape in shapes.items()}


def by_rule(
    build: Callable[[], nn.Module],
    load: Callable[[str], _Network],
    gain: float = 1.0,
    gains: Mapping[str, float] | None = None,
    shapes: Shapes | None = None,
) -> _Network:
    """A published network in float64 with weights by the rule, through the loader of its published file.

    Args:
        build: the bare network; called where nothing costs memory.
        load: of a checkpoint's path.
        gain: of all layers.
        gains: of single layers.
        shapes: of the published file, where a list of them lies beside the record; the network's own otherwise.

    Raises:
        UserError: if the published names are not the network's.
    """
    if shapes is None:
        with torch.device("meta"):
            shapes = {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "by_rule.safetensors"
        save_file(state_by_rule(shapes, gain, gains), file)
        return load(str(file)).double()


def _tensor(name: str, shape: tuple[int, ...], names: Collection[str], gain: float) -> Tensor:
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return torch.zeros(shape, dtype=torch.int64)
    if leaf == "logit_scale":
        return torch.full(shape, 4.6052)
    mean, std = _mean_and_std(name, leaf, shape, names, gain)
    z = normal(name, shape)
    return mean + std * (z.abs() if leaf == "running_var" else z)


def _mean_and_std(
    name: str, leaf: str, shape: tuple[int, ...], names: Collection[str], gain: float
) -> tuple[float, float]:
    if leaf == "running_var":
        return 1.0, 0.1
    if leaf == "running_mean" or leaf.endswith("bias"):
        return 0.0, 0.1
    if "embedding" in name:
        return 0.0, 0.3
    if len(shape) == 1:  # a norm has a bias beside its weight, a PReLU has none
        return (1.0, 0.1) if name.removesuffix("weight") + "bias" in names else (0.25, 0.05)
    return 0.0, gain / math.sqrt(math.prod(shape[1:]))
