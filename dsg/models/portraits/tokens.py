"""The portraits as tokens: a U-Net that guesses masked codes, told a class."""

from __future__ import annotations

from torch import Tensor

from dsg.diffusion.condition import Condition
from dsg.models.checkpoint import load_exactly
from dsg.models.diffusers.autoencoder import AutoencoderFolder
from dsg.models.labels import labels_for
from dsg.models.portraits.latent_model import FOLDER
from dsg.models.portraits.token_network import (
    CODES,
    LENGTH,
    NULL_CLASS,
    WEIGHTS,
    CodedNetwork,
    as_latents,
    nearest_codes,
)
from dsg.models.tokens.base import LogChances, TokenModel, Tokens
from dsg.types import Image


class PortraitsTokens(TokenModel):
    """256 tokens of 256 codes, 16x16 places of the latent world, whose decoder makes portraits (3,64,64) of them.

    Trained with dropped labels (Ho & Salimans 2022), so that without a condition it is unconditional.

    Args:
        checkpoint: weights (.safetensors) of the same network and its codes, as `benchmarks.portraits.train_tokens`
            makes them; null is tokens.safetensors beside this file.

    Raises:
        UserError: if the weights are of another network.
    """

    shape = (LENGTH,)
    vocabulary = CODES
    num_classes = NULL_CLASS
    null_class = NULL_CLASS

    def __init__(self, checkpoint: str | None = None) -> None:
        super().__init__()
        self.coded = CodedNetwork()
        self.weight_files = load_exactly(self.coded, WEIGHTS if checkpoint is None else checkpoint)
        self.autoencoder = AutoencoderFolder(str(FOLDER / "vae"), 64)
        self.freeze()

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self.autoencoder.image_shape

    def forward(self, tokens: Tokens, condition: Condition | None = None) -> LogChances:
        labels = labels_for(tokens, condition, self.num_classes, self.null_class)
        return self.coded.network(tokens, labels).float().log_softmax(-1)

    def decode(self, state: Tokens) -> Image:
        """Tokens (B,256) → images (B,3,64,64) in about [−1, 1]."""
        self.check_tokens(state)
        return self.autoencoder.decode(as_latents(state, self.coded.codes))

    def encode(self, image: Image) -> Tensor:
        """Images (B,3,64,64) → the nearest codes of their latents, (B,256) int64."""
        return nearest_codes(self.autoencoder.encode(image), self.coded.codes)
