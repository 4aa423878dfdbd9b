"""Building a `UNet2DModel` of its configuration, with the promise that it runs, or a line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from dsg.errors import UserError, first_line
from dsg.models.checkpoint import check_names, read_checkpoint
from dsg.models.entries import find_entry

_OLD_ATTENTION_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
_TOLD_MORE = (
    "cross_attention_dim",
    "encoder_hid_dim_type",
    "addition_embed_type",
    "projection_class_embeddings_input_dim",
)

_OF_THE_AVERAGE = (
    "decay", "min_decay", "inv_gamma", "power", "optimization_step", "update_after_step", "use_ema_warmup"
)  # fmt: skip


def shape_of(config: dict[str, Any], file: Path) -> tuple[int, int, int]:
    """(C,H,W) of a state.

    Raises:
        UserError: if the configuration does not say it, or no size.
    """
    size = config.get("sample_size")
    if size is None:
        raise UserError(f"{file}: sample_size is missing; write the images' size in pixels there")
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list) or len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UserError(f"{file}: sample_size {size!r} is no size in pixels; write one number, or height and width")
    return (config.get("in_channels", 3), sides[0], sides[1])


def classes_of(config: dict[str, Any], file: Path, num_classes: int | None) -> int | None:
    """How many labels the network knows; None if it takes none.

    Args:
        config: of the network.
        file: where it is from.
        num_classes: what the user states; needed where the configuration cannot say it.

    Raises:
        UserError: if it is told of something else than labels, or nobody says of how many, or both say and disagree.
    """
    kind, stated = config.get("class_embed_type"), config.get("num_class_embeds")
    if kind not in (None, "timestep"):
        raise UserError(
            f"{file}: class_embed_type {kind!r} is told of vectors and not of class labels; only null and timestep "
            "run: wrap the network as dsg.models.network.NetworkModel"
        )
    if kind == "timestep" and stated is None and num_classes is None:
        raise UserError(f"{file}: class_embed_type 'timestep' does not say how many classes there are; set num_classes")
    if (num_classes is not None and (stated or num_classes) != num_classes) or (num_classes and not (stated or kind)):
        raise UserError(f"num_classes {num_classes}: {file} says {stated or 'none'} (num_class_embeds); leave it out")
    return stated or num_classes


def build(config: dict[str, Any], file: Path, shape: tuple[int, ...], classes: int | None) -> nn.Module:
    """The network without weights, which was tried on a state: on no device, so that it costs next to nothing.

    Raises:
        UserError: if diffusers cannot build it, or it cannot take states of `shape` and answer with C or 2C channels.
    """
    from diffusers.models.unets.unet_2d import UNet2DModel

    _check_kind(config, file)
    own = {key: value for key, value in config.items() if key not in _OF_THE_AVERAGE}  # diffusers warns of strange keys
    try:
        with torch.device("meta"):  # no weight exists until the file gives it
            network = cast(UNet2DModel, UNet2DModel.from_config(own)).eval()
    except Exception as error:  # a configuration is foreign input, and diffusers raises what Python raises
        reason = first_line(error)
        raise UserError(f"{file}: diffusers cannot build this network ({reason}); correct the file") from error
    if config.get("time_embedding_type") == "learned":
        network.time_proj.register_forward_pre_hook(_as_index)
    labels = None if classes is None else torch.zeros(1, dtype=torch.long, device="meta")
    try:
        with torch.no_grad():
            answer = network(torch.zeros(1, *shape, device="meta"), torch.ones(1, device="meta"), labels).sample
    except Exception as error:
        size, reason = "x".join(map(str, shape)), first_line(error)
        raise UserError(
            f"{file}: the network cannot take states of {size} ({reason}); correct sample_size, in_channels or "
            "the blocks"
        ) from error
    if answer.shape[1] not in (shape[0], 2 * shape[0]):
        raise UserError(
            f"{file}: in_channels {shape[0]} and out_channels {answer.shape[1]}: the network sees more than the noisy "
            "image, or says less; only as many, or twice as many with a learned variance, run"
        )
    return network


def load(network: nn.Module, files: tuple[Path, ...]) -> str:
    """Load weights from one file or several shards, as float32; returns where in them they were, to be told.

    Raises:
        UserError: if they cannot be read, or do not fit to the last name.
    """
    content: dict[str, Any] = {}
    for file in files:
        content.update(read_checkpoint(file))
    named = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    entry = find_entry(content, expected, named, _new_name)
    foreign = "time_embed.0.weight" in entry.tensors
    advice = "; these are names of guided-diffusion: take dsg.models.adm.ADM" if foreign else ""
    check_names(expected, entry.tensors, f"{named}{entry.label}", advice)
    state = {name: tensor.to(torch.float32, copy=True) for name, tensor in entry.tensors.items()}
    network.load_state_dict(state, assign=True)
    return entry.label


def _check_kind(config: dict[str, Any], file: Path) -> None:
    kind = config.get("_class_name")
    told = ", ".join(f"{key} {config[key]!r}" for key in _TOLD_MORE if config.get(key) is not None)
    if kind != "UNet2DModel" or told:
        raise UserError(
            f"{file}: expected a UNet2DModel that is told of classes at most, found {kind}{told and f' with {told}'}; "
            "wrap it as dsg.models.network.NetworkModel"
        )


def _as_index(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (arguments[0].long(),)


def _new_name(name: str) -> str:
    """A name of old files as it is now."""
    if name.endswith("time_proj.W"):
        return f"{name.removesuffix('W')}weight"
    if ".attentions." in name:
        for old, new in _OLD_ATTENTION_NAMES.items():
            name = name.replace(old, new)
    return name
