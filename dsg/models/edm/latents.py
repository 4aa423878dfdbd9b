"""EDM2 in the latents of Stable Diffusion's autoencoder, whitened channel by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from dsg.errors import UserError
from dsg.models.edm.model import EDM
from dsg.models.latent import Autoencoder, LatentModel
from dsg.types import Image, State

STABILITY = "StabilityVAEEncoder"


class StabilityEncoder(Autoencoder):
    """An autoencoder of images in [0, 1], whose codes are whitened: EDM2's `StabilityVAEEncoder`.

        state = E((image + 1)/2) · scale + bias,   image = 2 D((state − bias)/scale) − 1

    E and D are the autoencoder's own, without any factor between, such as Stable Diffusion's 0.18215.

    Args:
        autoencoder: one that tells its codes as they are, by `encode_raw` and `decode_raw`, as those of
            `dsg.models.diffusers` do; published networks were trained with `stabilityai/sd-vae-ft-mse`.
        scale: of each channel, 0.5/std of its codes.
        bias: of each channel, −mean · scale.

    Raises:
        UserError: if the autoencoder has no such codes, or not as many channels.
    """

    def __init__(self, autoencoder: Autoencoder, scale: Sequence[float], bias: Sequence[float]) -> None:
        super().__init__()
        if not (hasattr(autoencoder, "encode_raw") and hasattr(autoencoder, "decode_raw")):
            raise UserError(
                f"StabilityEncoder: {type(autoencoder).__name__} does not tell its codes as they are (encode_raw, "
                "decode_raw); take dsg.models.diffusers.AutoencoderFolder"
            )
        self.autoencoder: Any = autoencoder
        self.latent_shape, self.image_shape = autoencoder.latent_shape, autoencoder.image_shape
        if not len(scale) == len(bias) == self.latent_shape[0] or 0.0 in scale:
            raise UserError(
                f"StabilityEncoder: needs {self.latent_shape[0]} of scale and bias, one a channel of the autoencoder's "
                f"codes and no scale 0, got {list(scale)} and {list(bias)}"
            )
        # float64, and no buffers: no cast may touch them
        self._scale, self._bias = (torch.tensor(list(v), dtype=torch.float64)[:, None, None] for v in (scale, bias))
        self.freeze()

    def encode(self, image: Image) -> State:
        raw = self.autoencoder.encode_raw((image + 1.0) / 2.0)
        return raw * self._scale.to(raw) + self._bias.to(raw)

    def decode(self, state: State) -> Image:
        raw = (state - self._bias.to(state)) / self._scale.to(state)
        return 2.0 * self.autoencoder.decode_raw(raw) - 1.0


class LatentEDM(LatentModel):
    """A checkpoint of EDM2 whose states are latents (`edm2-img512-*`), with the autoencoder that it does not contain.

    Args:
        path: as `EDM` reads it; what the file says of its encoder is used.
        autoencoder: of the codes that were whitened, as `StabilityEncoder` takes it.
        sigma_min: least noise that is sampled at; null is 0.002.
        sigma_max: most noise that is sampled at; null is 80.
        label_dropout: the network was trained with dropped labels too; as published, none was.
        channels_last: use the channels-last memory format.

    Raises:
        UserError: as `EDM` and `StabilityEncoder`, and if the file names no encoder of latents.
    """

    def __init__(
        self,
        path: str,
        autoencoder: Autoencoder,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        label_dropout: bool = False,
        channels_last: bool = False,
    ) -> None:
        model = EDM(path, sigma_min, sigma_max, label_dropout, None, channels_last)
        super().__init__(model, StabilityEncoder(autoencoder, *_whitening(model.encoder, path)))


def _whitening(encoder: Mapping[str, Any], path: str) -> tuple[list[float], list[float]]:
    """scale and bias, as the file has them."""
    found = [encoder.get(name) for name in ("scale", "bias")]
    numbers = all(isinstance(v, list) and all(isinstance(x, int | float) for x in v) for v in found)
    if encoder.get("class_name") != STABILITY or not numbers:
        raise UserError(
            f"checkpoint {path}: names {encoder.get('class_name', 'no encoder')} where latents have {STABILITY} with "
            "scale and bias; take EDM for a network of pictures, or LatentModel around both with a StabilityEncoder"
        )
    return found[0], found[1]  # type: ignore[return-value]
