"""Networks in the folder layout of `diffusers`, from disk or from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.models.base import ModelOutput, ScoreModel
from dsg.models.checkpoint import check_names, read_state_dict
from dsg.models.hub_files import find_pipeline, read_json, read_scheduler
from dsg.models.labels import labels_for
from dsg.models.precision import call_network, to_memory_format
from dsg.models.prediction_types import Prediction, as_model_output
from dsg.schedule import NoiseLevel
from dsg.types import State

_OLD_ATTENTION_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


class DiffusersModel(ScoreModel):
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
        super().__init__()
        files = find_pipeline(path)
        config = read_json(files.network_config)
        self.schedule, predicts = read_scheduler(files.scheduler_config)
        self.predicts: Prediction = predicts
        network = _load(config, files.network_config, files.weights)
        self.shape = _shape(config, files.network_config)
        self.network = to_memory_format(network, channels_last)
        classes: int | None = config.get("num_class_embeds")
        if null_class is not None and (classes is None or not 0 <= null_class < classes):
            raise UserError(
                f"DiffusersModel: null_class {null_class} is not among the {classes or 0} classes of {path}"
            )
        if classes is not None and null_class == classes - 1:
            classes = null_class  # a null class at the end is no class that could be asked for
        self.num_classes = classes
        self.null_class = null_class
        self.learns_variance = config.get("out_channels", 3) == 2 * self.shape[0]
        self.channels_last = channels_last
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        labels = labels_for(x_t, condition, self.num_classes, self.null_class)
        prediction = call_network(self.network, x_t, level.t, labels, self.channels_last)
        return as_model_output(prediction, x_t, level.alpha_bar, self.predicts, self.learns_variance)


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
