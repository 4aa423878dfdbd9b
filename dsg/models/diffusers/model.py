"""Networks in the folder layout of `diffusers`, from disk or from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from dsg.errors import UserError
from dsg.models.checkpoint import check_names, read_state_dict
from dsg.models.diffusers.files import find_pipeline, read_json, read_scheduler
from dsg.models.network import NetworkModel
from dsg.models.weights import WeightFiles

_OLD_ATTENTION_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


class DiffusersModel(NetworkModel):
    """A pixel-space `UNet2DModel` with its DDPM or DDIM scheduler's table, e.g. `google/ddpm-celebahq-256`.

    The folder is a pipeline (`unet/`, `scheduler/`), or the network's own with `scheduler_config.json` in or beside it.
    Schedule, kind of prediction, size and classes are read from there. Weights are `.safetensors`, else a `.bin` that
    holds no code.

    Args:
        path: folder on disk, or name on the hub (owner/name), which is downloaded once into the hub's own cache.
        null_class: the label that means "no class" in a network trained with dropped labels; null if there is none.
        channels_last: use the channels-last memory format.

    Raises:
        UserError: if there is no such folder or repository, a file of it is missing, the weights do not fit to the last
            name, or the process is not a variance-preserving diffusion of pixels.
    """

    def __init__(self, path: str, null_class: int | None = None, channels_last: bool = False) -> None:
        files = find_pipeline(path)
        config = read_json(files.network_config)
        schedule, predicts = read_scheduler(files.scheduler_config)
        shape = _shape(config, files.network_config)
        classes: int | None = config.get("num_class_embeds")
        if null_class is not None and (classes is None or not 0 <= null_class < classes):
            raise UserError(
                f"DiffusersModel: null_class {null_class} is not among the {classes or 0} classes of {path}"
            )
        if classes is not None and null_class == classes - 1:
            classes = null_class  # a null class at the end is no class that could be asked for
        super().__init__(
            network=_load(config, files.network_config, files.weights),
            shape=shape,
            predicts=predicts,
            schedule=schedule,
            num_classes=classes,
            null_class=null_class,
            learns_variance=config.get("out_channels", 3) == 2 * shape[0],
            channels_last=channels_last,
        )
        self.weight_files = WeightFiles({f"{files.weights.parent.name}/{files.weights.name}": files.weights})


def _load(config: dict, config_file: Path, weights: Path) -> torch.nn.Module:
    from diffusers.models.unets.unet_2d import UNet2DModel

    kind = config.get("_class_name")
    if kind != "UNet2DModel" or config.get("time_embedding_type") == "fourier":
        found = kind if kind != "UNet2DModel" else "one of a variance-exploding process"
        raise UserError(f"{config_file}: expected a UNet2DModel of pixels and discrete timesteps, found {found}")
    try:
        with torch.device("meta"):  # no weight exists until the file gives it
            network = cast(UNet2DModel, UNet2DModel.from_config(config))
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{config_file}: diffusers cannot build this network ({str(error).splitlines()[0]})") from error
    state = {_new_name(name): tensor for name, tensor in read_state_dict(weights).items()}
    check_names({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}, state, weights)
    network.load_state_dict({k: v.to(torch.float32, copy=True) for k, v in state.items()}, assign=True)
    return network


def _new_name(name: str) -> str:
    if ".attentions." in name:
        for old, new in _OLD_ATTENTION_NAMES.items():
            name = name.replace(old, new)
    return name


def _shape(config: dict, file: Path) -> tuple[int, ...]:
    size = config.get("sample_size")
    if size is None:
        raise UserError(f"{file}: sample_size is missing; write the images' size in pixels there")
    height, width = (size, size) if isinstance(size, int) else size
    return (config.get("in_channels", 3), height, width)
