"""Files as EDM's and EDM2's own code writes them, made of our networks: every object with a source text that raises."""

from __future__ import annotations

import pickle
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

SOURCE = "raise SystemExit('the source text of a pickle was run')"


class Encoder:
    """What EDM2 keeps of an autoencoder: its attributes."""

    def __init__(self, class_name: str, **attributes: Any) -> None:
        self.class_name, self.attributes = class_name, attributes


class _Writer(pickle.Pickler):
    """Objects as persistent ones, containers of torch in torch's own way."""

    def __init__(self, file, network: nn.Module, options: dict[str, Any], class_names: dict[str, str]) -> None:
        super().__init__(file, protocol=4)
        self.network, self.options, self.class_names = network, options, class_names

    def reducer_override(self, obj):
        if isinstance(obj, Encoder):
            return persistent(obj.class_name, {"_init_args": (), "_init_kwargs": {}, **obj.attributes})
        if not isinstance(obj, nn.Module):
            return NotImplemented
        state = dict(obj.__dict__) | {"_init_args": (), "_init_kwargs": self.options if obj is self.network else {}}
        if isinstance(obj, nn.ModuleDict):
            return object.__reduce_ex__(obj, 2)[0], (nn.ModuleDict,), state
        name = type(obj).__name__
        return persistent(self.class_names.get(name, name), state)


def persistent(class_name: str, state: dict[str, Any]):
    meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": class_name, "state": state}
    return _reconstruct_persistent_obj, (meta,)


def _reconstruct_persistent_obj(meta):
    raise AssertionError("a reader has a function of its own")


class EasyDict(dict):
    """As dnnlib's."""


def _official() -> dict[str, ModuleType]:
    made = {name: ModuleType(name) for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")}
    for module, value in (("torch_utils.persistence", _reconstruct_persistent_obj), ("dnnlib.util", EasyDict)):
        value.__module__ = module
        setattr(made[module], value.__name__, value)
    return made


_OFFICIAL = _official()


@contextmanager
def official_modules():
    """The modules that a published file names, for as long as one is written."""
    before = {name: sys.modules.get(name) for name in _OFFICIAL}
    sys.modules.update(_OFFICIAL)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]


def write_pickle(path: Path, network: nn.Module, options: dict[str, Any], encoder: Encoder | None = None) -> Path:
    """A network as a snapshot under `ema`: EDM2's, in float16, where an encoder comes with it."""
    network.skip_scale = np.float64(0.5)  # a number of numpy, of which the files hold some
    with official_modules(), path.open("wb") as file:
        content = {"ema": network, "dataset_kwargs": {"path": "images.zip"}}
        if encoder is not None:
            content = EasyDict(ema=_halved(network), encoder=encoder, dataset_kwargs=EasyDict(path="images.zip"))
        _Writer(file, network, options, {"MagnitudeUNet": "UNet"}).dump(content)
    return path


def _halved(network: nn.Module) -> nn.Module:
    """All of it: also the buffers that ours keep in float32."""
    for module in network.half().modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.half())
    return network


def stability_encoder() -> Encoder:
    """As the published networks of latents have it."""
    scale, bias = np.float32([0.12, 0.11, 0.13, 0.15]), np.float32([-0.7, -0.35, -0.02, 0.33])
    return Encoder(
        "StabilityVAEEncoder", vae_name="stabilityai/sd-vae-ft-mse", scale=scale, bias=bias, batch_size=8, _vae=None
    )


def same_weights(network: nn.Module, tensors: dict[str, torch.Tensor]) -> bool:
    """Whether a state dict is the network's, bit by bit."""
    state = network.state_dict()
    return state.keys() == tensors.keys() and all(torch.equal(state[name], tensors[name]) for name in state)
