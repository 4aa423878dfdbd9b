"""The weights of guided-diffusion under the names of `diffusers.UNet2DModel`.

guided-diffusion numbers its blocks in the order of execution; diffusers groups them by resolution. The numbers inside
are the same, save that an attention's query, key and value are one matrix there and three here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.adm.in_weights import advice
from dsg.models.adm.network import ADMOptions
from dsg.models.checkpoint import check_names, read_checkpoint
from dsg.models.entries import find_entry
from dsg.models.stored_schedule import check_stored_schedule, without_tables
from dsg.models.weights import WeightFiles

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel

_RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_QUERY_KEY_VALUE = ("to_q", "to_k", "to_v")


def load_adm(network: UNet2DModel, options: ADMOptions, schedule: NoiseSchedule, path: str) -> WeightFiles:
    """Load guided-diffusion's checkpoint `path` into the network that `options` describe.

    A table of noise levels beside the weights has to be that of `schedule`.

    Returns:
        What tells the file's hash.

    Raises:
        UserError: if the file cannot be read, or unless names and shapes agree one to one; the message speaks
            guided-diffusion's names, and says which options the weights ask for.
    """
    target = network.state_dict()
    sources = list(_sources(target, options))
    expected = {source.name: source.shape for source in sources}
    content = read_checkpoint(path)
    entry = find_entry(content, expected, path)
    found = without_tables(entry.tensors, expected)
    check_names(expected, found, f"{path}{entry.label}", advice(found, options))
    check_stored_schedule(content, schedule, path)
    converted: dict[str, Tensor] = {}
    for source in sources:
        tensors = _split(entry.tensors[source.name], source.targets, target, source.module, options)
        converted.update(zip(source.targets, tensors, strict=True))
    network.load_state_dict(converted, assign=True)
    return WeightFiles({f"{Path(path).name}{entry.label}": path})


class _Source(NamedTuple):
    """A tensor of guided-diffusion, and the tensors of a module of diffusers that are made of it."""

    name: str
    shape: tuple[int, ...]
    module: str
    targets: list[str]


def _sources(target: Mapping[str, Tensor], options: ADMOptions) -> Iterator[_Source]:
    for ours, module in _modules(options):
        for kind in ("weight", "bias"):
            theirs = f"{ours}.{kind}"
            if ours.endswith("qkv"):
                names = [f"{module}.{part}.{kind}" for part in _QUERY_KEY_VALUE]
                width, *rest = target[names[0]].shape
                shape = (3 * width, *rest, *[1] * len(rest))  # 1x1 convolutions over the flattened image
            else:
                names = [name for name in [f"{module}.{kind}"] if name in target]
                if not names:  # embeddings have no bias; residual blocks of unchanged width have no shortcut
                    continue
                flat = ours.endswith("proj_out") and kind == "weight"
                shape = (*target[names[0]].shape, *[1] * flat)
            yield _Source(theirs, shape, module, names)


def _split(
    source: Tensor, names: list[str], target: Mapping[str, Tensor], module: str, options: ADMOptions
) -> list[Tensor]:
    """`source` as the float32 tensors `names`, in memory of their own (the file is only mapped)."""
    source = source.to(torch.float32, copy=True)
    if len(names) == 1:
        return [source.reshape(target[names[0]].shape)]
    width = target[names[0]].shape[0]
    heads = options.heads(width, upsampling=module.startswith("up_blocks"))
    if options.use_new_attention_order:  # rows ordered (q|k|v, head, channel)
        parts = source.reshape(3, width, -1)
    else:  # rows ordered (head, q|k|v, channel)
        parts = source.reshape(heads, 3, width // heads, -1).transpose(0, 1)
    return [part.reshape(target[name].shape).contiguous() for part, name in zip(parts, names, strict=True)]


def _modules(options: ADMOptions) -> Iterator[tuple[str, str]]:
    """(guided-diffusion's module, diffusers' module); an attention's `qkv` comes with the attention itself."""
    yield from _ENDS.items()
    for block, module, kind in _blocks(options):
        if kind == "attention":
            yield f"{block}.norm", f"{module}.group_norm"
            yield f"{block}.qkv", module
            yield f"{block}.proj_out", f"{module}.to_out.0"
        elif kind == "residual":
            yield from ((f"{block}.{ours}", f"{module}.{theirs}") for ours, theirs in _RESIDUAL.items())
        else:
            yield f"{block}.{kind}", f"{module}.conv"


def _blocks(options: ADMOptions) -> Iterator[tuple[str, str, str]]:
    levels = len(options.attends)
    resampling = ("residual", "residual") if options.resblock_updown else ("op", "conv")
    index = 1
    for level, attends in enumerate(options.attends):
        for layer in range(options.num_res_blocks):
            yield f"input_blocks.{index}.0", f"down_blocks.{level}.resnets.{layer}", "residual"
            if attends:
                yield f"input_blocks.{index}.1", f"down_blocks.{level}.attentions.{layer}", "attention"
            index += 1
        if level < levels - 1:
            yield f"input_blocks.{index}.0", f"down_blocks.{level}.downsamplers.0", resampling[0]
            index += 1
    yield "middle_block.0", "mid_block.resnets.0", "residual"
    yield "middle_block.1", "mid_block.attentions.0", "attention"
    yield "middle_block.2", "mid_block.resnets.1", "residual"
    index = 0
    for level, attends in enumerate(reversed(options.attends)):
        for layer in range(options.num_res_blocks + 1):
            yield f"output_blocks.{index}.0", f"up_blocks.{level}.resnets.{layer}", "residual"
            if attends:
                yield f"output_blocks.{index}.1", f"up_blocks.{level}.attentions.{layer}", "attention"
            if layer == options.num_res_blocks and level < levels - 1:
                yield f"output_blocks.{index}.{1 + attends}", f"up_blocks.{level}.upsamplers.0", resampling[1]
            index += 1
