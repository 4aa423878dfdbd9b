"""Networks of diffusers with their weights, whichever version of it wrote them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from dsg.models.pretrained.component import Component, build, from_config, load_weights

_N = TypeVar("_N", bound=nn.Module)
_OLD_ATTENTION_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def load_component(
    component: Component,
    kind: type[_N],
    check: Callable[[_N], object] | None = None,
    dtype: torch.dtype | None = torch.float32,
) -> tuple[_N, dict[str, Path]]:
    """A network of diffusers with its weights, names checked to the last; and the files to be hashed, by name.

    Args:
        component: of `Pipeline.component`.
        kind: the class in diffusers.
        check: tries the network before its weights are read, on tensors of the device `meta`, and raises UserError.
        dtype: of the weights, whatever the file's; null leaves it.

    Raises:
        UserError: if it cannot be built, does not pass `check`, or its weights do not fit.
    """

    def make() -> _N:
        return from_config(kind, component.config)

    network = build(make, component.config_file)
    if check is not None:
        check(network)
    label = load_weights(network, component.weights, make, _new_name, dtype=dtype, advise=_advice)
    return network, component.files(label)


def _new_name(name: str) -> str:
    """A name of old files as it is now."""
    if name.endswith("time_proj.W"):
        return f"{name.removesuffix('W')}weight"
    if ".attentions." in name:
        for old, new in _OLD_ATTENTION_NAMES.items():
            name = name.replace(old, new)
    return name


def _advice(names: Collection[str]) -> str:
    """How to mend weights that do not fit, if their names say whose they are."""
    if "time_embed.0.weight" in names:
        return "; these are names of guided-diffusion: take dsg.models.adm.ADM"
    return ""
