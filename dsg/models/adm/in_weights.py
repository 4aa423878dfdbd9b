"""Which options of guided-diffusion a network's weights were made with, as far as names and shapes tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dsg.models.adm.network import NUM_CLASSES, ADMOptions


def options_in(weights: Mapping[str, Tensor], image_size: int) -> dict[str, Any]:
    """The options that guided-diffusion's names and shapes show.

    Heads, the order of the attention's rows, the size of the images and the schedule are in no weight. Attention is
    stated in pixels of images of `image_size`.

    Args:
        weights: under guided-diffusion's names; of other names nothing is told.
        image_size: height and width of the images.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    try:
        width = shapes["time_embed.0.weight"][1]
        first = shapes["input_blocks.1.0.out_layers.0.weight"][0]
        embedded = shapes["input_blocks.1.0.emb_layers.1.weight"][0]
        levels = _levels(shapes)
        return {
            "num_channels": width,
            "num_res_blocks": len(levels[0]),
            "channel_mult": ",".join(
                f"{shapes[f'{blocks[0]}.0.out_layers.0.weight'][0] / width:g}" for blocks in levels
            ),
            "attention_resolutions": ",".join(
                str(image_size // 2**i) for i, blocks in enumerate(levels) if f"{blocks[0]}.1.qkv.weight" in shapes
            ),
            "learn_sigma": shapes["out.2.weight"][0] == 2 * shapes["input_blocks.0.0.weight"][1],
            "class_cond": "label_emb.weight" in shapes,
            "use_scale_shift_norm": embedded == 2 * first,
            "resblock_updown": not any(".op." in name for name in shapes),
        }
    except (KeyError, IndexError):
        return {}


def advice(weights: Mapping[str, Tensor], options: ADMOptions) -> str:
    """What to change for these weights, to be appended to a message; empty where nothing can be told."""
    if "conv_in.weight" in weights:
        return "; these are names of diffusers: take dsg.models.diffusers.DiffusersModel"
    found = options_in(weights, options.image_size)
    if not found:
        return ""
    rows = weights["label_emb.weight"].shape[0] if found["class_cond"] else NUM_CLASSES
    if rows != NUM_CLASSES:
        return f"; label_emb.weight is of {rows} classes, and ADM has the {NUM_CLASSES} of ImageNet"
    if (channels := weights["input_blocks.0.0.weight"].shape[1]) != 3:
        return f"; input_blocks.0.0.weight takes {channels} channels: an upsampler, or no network of pictures"
    given = {name: getattr(options, name) for name in found}
    given["channel_mult"] = ",".join(f"{value:g}" for value in options.multipliers)
    given["attention_resolutions"] = _falling(options.attention_resolutions)
    found["attention_resolutions"] = _falling(found["attention_resolutions"])
    wrong = [
        f"{name} {_text(value)} (it is {_text(given[name])})" for name, value in found.items() if value != given[name]
    ]
    return f"; its weights ask for {', '.join(wrong)}" if wrong else ""


def _levels(shapes: Mapping[str, tuple[int, ...]]) -> list[list[str]]:
    """The residual input blocks of each resolution, finest first, without those between that change it.

    On the way up there is one block more a resolution, and the last of each but the finest has the upsampling inside.
    """
    last = re.compile(r"output_blocks\.(\d+)\.[12]\.(in_layers|conv)\.")
    ends = {int(match[1]) for name in shapes if (match := last.match(name))}
    total = 1 + max(int(name.split(".")[1]) for name in shapes if name.startswith("output_blocks."))
    period = 1 + min(ends, default=total - 1)
    return [[f"input_blocks.{start + i}" for i in range(period - 1)] for start in range(1, total, period)]


def _falling(sizes: str) -> str:
    return ",".join(map(str, sorted((int(size) for size in sizes.split(",") if size.strip()), reverse=True)))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
