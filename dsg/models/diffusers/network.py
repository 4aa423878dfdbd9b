"""Building a `UNet2DModel` of its configuration, with the promise that it runs, or a line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dsg.errors import UserError, installed
from dsg.models.diffusers.component import load_component
from dsg.models.pretrained.component import Component, answer_to

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel

_TOLD_MORE = (
    "cross_attention_dim",
    "encoder_hid_dim_type",
    "addition_embed_type",
    "projection_class_embeddings_input_dim",
)


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


def load_unet(component: Component, shape: tuple[int, ...], classes: int | None) -> tuple[UNet2DModel, dict[str, Path]]:
    """The network, which was tried on a state before its weights were read; and its files, to be hashed.

    Raises:
        UserError: if diffusers cannot build it, it cannot take states of `shape` and answer with C or 2C channels, or
            its weights do not fit.
    """
    with installed("diffusers", "a network of diffusers"):
        from diffusers.models.unets.unet_2d import UNet2DModel

    config, file = component.config, component.config_file
    _check_kind(config, file)

    def check(network: UNet2DModel) -> None:
        if config.get("time_embedding_type") == "learned":
            network.time_proj.register_forward_pre_hook(_as_index)
        labels = None if classes is None else torch.zeros(1, dtype=torch.long, device="meta")
        what, mend = f"states of {'x'.join(map(str, shape))}", "correct sample_size, in_channels or the blocks"
        answer = answer_to(network, shape, labels, file, what, mend)
        if answer.shape[1] not in (shape[0], 2 * shape[0]):
            raise UserError(
                f"{file}: in_channels {shape[0]} and out_channels {answer.shape[1]}: the network sees more than the "
                "noisy image, or says less; only as many, or twice as many with a learned variance, run"
            )

    return load_component(component, UNet2DModel, check)


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
