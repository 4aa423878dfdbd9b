"""The autoencoders of diffusers: of pipelines, or a folder of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dsg.errors import UserError, first_line, installed
from dsg.models.diffusers.component import load_component
from dsg.models.latent.autoencoder import Autoencoder
from dsg.models.latent.decoding import Decoding
from dsg.models.precision import KeepsPrecision
from dsg.models.pretrained.component import Component
from dsg.models.pretrained.hub import find_folder
from dsg.models.pretrained.read_json import read_json
from dsg.models.pretrained.weight_choice import choose_weights
from dsg.models.weights import WeightFiles
from dsg.types import Image, State, at_least_float32

AUTOENCODERS = ("AutoencoderKL", "VQModel", "AutoencoderTiny")


class DiffusersAutoencoder(KeepsPrecision, Autoencoder):
    """`AutoencoderKL`, `VQModel` or `AutoencoderTiny`.

        state = (E(image) − shift_factor) · scaling_factor,   image = D(state / scaling_factor + shift_factor)

    or, where the configuration has means and deviations of each channel, with those: (E − mean) · scaling_factor / std.
    E is the mean of the code of a KL autoencoder. A VQ decoder moves each code to the nearest of its book, and the
    gradient passes that as if it had not.

    A subclass with states or pixels of its own overrides `encode` and `decode` around `encode_raw` and `decode_raw`.

    Args:
        component: of a pipeline, or `autoencoder_at`.
        latent_size: height and width of a state; null is what `image_size` gives.
        image_size: height and width of an image; null is what `latent_size` gives.
        decoding: its precision, and what saves memory.
        scaling_factor: null is the configuration's.

    Raises:
        UserError: if it cannot be built, makes no images of that size, cannot run so, or its weights do not fit.
    """

    def __init__(
        self,
        component: Component,
        latent_size: tuple[int, int] | None = None,
        image_size: tuple[int, int] | None = None,
        decoding: Decoding | None = None,
        scaling_factor: float | None = None,
    ) -> None:
        super().__init__()
        self.decoding = decoding or Decoding()
        _check_precision(component, self.decoding)

        def check(network: Any) -> None:
            self.latent_shape, self.image_shape = _shapes(network, component, latent_size, image_size)
            _set_up(network, component, self.decoding, self.image_shape[-1] // self.latent_shape[-1])

        network, files = load_component(component, _kind(component), check, self.decoding.torch_dtype)
        self.network: Any = network
        self.scale, self.shift = _affine(self.network.config, scaling_factor, component.config_file)
        self.weight_files = WeightFiles(files)
        self.freeze()

    def encode(self, image: Image) -> State:
        raw = self.encode_raw(image)
        return (raw - _on(self.shift, raw)) * _on(self.scale, raw)

    def decode(self, state: State) -> Image:
        state = at_least_float32(state)
        return self.decode_raw(state / _on(self.scale, state) + _on(self.shift, state))

    def encode_raw(self, image: Image) -> State:
        """The encoder's own answer to images as the network takes them, before scale and shift; float32."""
        return self._run(self._mean_code, image)

    def decode_raw(self, raw: State) -> Image:
        """The decoder's own answer to codes without scale and shift; float32."""
        return self._run(lambda code: self.network.decode(code).sample, raw)

    def _mean_code(self, image: Tensor) -> Tensor:
        answer = self.network.encode(image)
        return answer.latent_dist.mode() if hasattr(answer, "latent_dist") else answer.latents

    def _run(self, pass_: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """One pass in the network's own precision, whatever an autocast around it says."""
        with torch.autocast(x.device.type, enabled=False):
            own = x.to(self.decoding.torch_dtype)
            parts = own.split(1) if self.decoding.sliced else (own,)
            return torch.cat([at_least_float32(pass_(part)) for part in parts])


class AutoencoderFolder(DiffusersAutoencoder):
    """An autoencoder of diffusers that is no part of a pipeline, e.g. `stabilityai/sd-vae-ft-mse`, for a `LatentModel`.

    Args:
        path: folder with config.json and weights on disk, or name on the hub (owner/name).
        image_size: side of the images, or height and width.
        decoding: its precision, and what saves memory.
        scaling_factor: null is the configuration's.
        variant: of the weights, as `fp16`; null is the one without a name, or the only one.
        revision: of a hub name: commit, tag or branch; null is the newest.

    Raises:
        UserError: as DiffusersAutoencoder, and if there is no such folder.
    """

    def __init__(
        self,
        path: str,
        image_size: int | tuple[int, int],
        decoding: Decoding | None = None,
        scaling_factor: float | None = None,
        variant: str | None = None,
        revision: str | None = None,
    ) -> None:
        size = (image_size, image_size) if isinstance(image_size, int) else image_size
        component = autoencoder_at(path, variant, revision)
        super().__init__(component, image_size=size, decoding=decoding, scaling_factor=scaling_factor)


def autoencoder_at(path: str, variant: str | None = None, revision: str | None = None) -> Component:
    """The autoencoder in a folder, or in a repository on the hub.

    Raises:
        UserError: if there is none.
    """

    def read(root: Path) -> Component:
        file = root / "config.json"
        if not file.is_file():
            raise UserError(f"{file}: is missing; give an autoencoder's own folder, as vae/ in a pipeline")
        config = read_json(file)
        kind = str(config.get("_class_name"))
        if kind not in AUTOENCODERS:
            raise UserError(f"{file}: is of a {kind}, and only {', '.join(AUTOENCODERS)} are read as autoencoders")
        return Component("", kind, config, file, choose_weights(root, variant))

    return find_folder(path, read, ["config.json"], [""], variant, revision)


def _kind(component: Component) -> type[nn.Module]:
    with installed("diffusers", "an autoencoder of diffusers"):
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
        from diffusers.models.autoencoders.vq_model import VQModel

    return {kind.__name__: kind for kind in (AutoencoderKL, AutoencoderTiny, VQModel)}[component.class_name]


def _check_precision(component: Component, decoding: Decoding) -> None:
    if decoding.dtype == "float16" and component.config.get("force_upcast"):
        raise UserError(
            f"decoding.dtype float16: {component.config_file} says force_upcast, its activations overflow there; take "
            "bfloat16 or float32"
        )


def _shapes(
    network: Any, component: Component, latent_size: tuple[int, int] | None, image_size: tuple[int, int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of a state and an image, as the network makes one of the other; on no device."""
    config, asked = network.config, "x".join(map(str, image_size or latent_size or ()))

    def encoded(shape: Sequence[int]) -> tuple[int, ...]:
        answer = network.encode(torch.zeros(1, *shape, device="meta"))
        return tuple((answer.latent_dist.mode() if hasattr(answer, "latent_dist") else answer.latents).shape[1:])

    def decoded(shape: Sequence[int]) -> tuple[int, ...]:
        return tuple(network.decode(torch.zeros(1, *shape, device="meta")).sample.shape[1:])

    try:
        with torch.no_grad():
            latent: tuple[int, ...] = (config.latent_channels, *(latent_size or ()))
            if image_size is not None:
                latent = encoded((config.in_channels, *image_size))
            image = decoded(latent)
            back = encoded(image)
    except Exception as error:  # a configuration is foreign input, and diffusers raises what Python raises
        raise UserError(
            f"{component.config_file}: the autoencoder cannot take {'images' if image_size else 'latents'} of {asked} "
            f"({first_line(error)}); take another size"
        ) from error
    if back != latent or (image_size is not None and image[1:] != tuple(image_size)):
        raise UserError(
            f"{component.config_file}: {asked} is encoded and decoded to {image[1]}x{image[2]}; take a size that is a "
            f"multiple of {image[1] // latent[1]}"
        )
    return latent, image


def _set_up(network: Any, component: Component, decoding: Decoding, factor: int) -> None:
    if decoding.checkpointed:
        network._supports_gradient_checkpointing = True  # so are the encoder and decoder of a VQModel, which says no
        network.enable_gradient_checkpointing()
    if decoding.tile_size is None:
        return
    if component.class_name != "AutoencoderKL":
        raise UserError(f"decoding.tile_size: the {component.class_name} of {component.config_file} has no tiles")
    if decoding.tile_size % (4 * factor):
        raise UserError(
            f"decoding.tile_size {decoding.tile_size}: must be a multiple of {4 * factor}, so that a quarter of a tile "
            "overlaps"
        )
    network.enable_tiling()
    network.tile_sample_min_size, network.tile_latent_min_size = decoding.tile_size, decoding.tile_size // factor


def _affine(config: Any, scaling_factor: float | None, file: Path) -> tuple[Tensor, Tensor]:
    """scale and shift, (1,1,1) or (C,1,1), float64: on no list of the module, so that no cast may touch them."""
    channels = config.latent_channels
    where = f"{file}: scaling_factor" if scaling_factor is None else "scaling_factor"
    scale = _column([config.scaling_factor if scaling_factor is None else scaling_factor], where, 1, apart=True)
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is not None and std is not None:
        spread = _column(std, f"{file}: latents_std", channels, apart=True)
        return scale / spread, _column(mean, f"{file}: latents_mean", channels)
    return scale, _column([getattr(config, "shift_factor", None) or 0.0], f"{file}: shift_factor", 1)


def _column(values: Any, where: str, channels: int, apart: bool = False) -> Tensor:
    """Finite numbers, one or one a channel, (1 or C,1,1); `apart` from 0."""
    try:
        column = torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
    except (TypeError, ValueError, RuntimeError):
        column = torch.tensor([[[math.nan]]])
    if len(column) not in (1, channels) or not column.isfinite().all() or (apart and (column == 0).any()):
        one = "a finite number" if channels == 1 else f"1 or {channels} finite numbers"
        raise UserError(f"{where}: must be {one}{' other than 0' * apart}, got {values!r}")
    return column


def _on(column: Tensor, like: Tensor) -> Tensor:
    return column.to(device=like.device, dtype=like.dtype)
