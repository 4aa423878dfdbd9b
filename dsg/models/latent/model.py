"""A score model of latents."""

from __future__ import annotations

from dsg.data.media import Medium, medium_of
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.latent.autoencoder import Autoencoder
from dsg.models.wrapped import WrappedModel
from dsg.types import Image, State


class LatentModel(WrappedModel):
    """Any score model of an autoencoder's latents: its samples are decoded, and losses are of decoded estimates.

    x̂ is clamped nowhere: latents have no range. Norms, radii and the n of DSG are the latents'.

    Args:
        score_model: of states (B, *latent_shape).
        autoencoder: makes images of them.

    Raises:
        UserError: if the two do not fit.
    """

    def __init__(self, score_model: ScoreModel, autoencoder: Autoencoder) -> None:
        super().__init__(score_model)
        if tuple(score_model.shape) != tuple(autoencoder.latent_shape):
            raise UserError(
                f"{type(self).__name__}: the score model's states are {tuple(score_model.shape)} and the autoencoder's "
                f"latents {tuple(autoencoder.latent_shape)}; take two that were trained together"
            )
        self.autoencoder = autoencoder
        self.clean_range = None
        self.freeze()

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.autoencoder.image_shape

    @property
    def medium(self) -> Medium:
        return medium_of(self.image_shape)

    @property
    def has_decoder(self) -> bool:
        return True

    @property
    def has_encoder(self) -> bool:
        return True

    def decode(self, state: State) -> Image:
        return self.autoencoder.decode(state)

    def encode(self, image: Image) -> State:
        return self.autoencoder.encode(image)
