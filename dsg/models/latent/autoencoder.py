"""What an autoencoder is to a model of latents: images to states of unit scale and back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from dsg.models.weights import TellsWeights
from dsg.types import Image, State


class Autoencoder(TellsWeights, nn.Module, ABC):
    """Frozen, deterministic and differentiable, both ways.

    A state is scaled and shifted as the score model was trained on it: what a pipeline calls `scaling_factor` and
    `shift_factor` is inside. Subclasses set both shapes, without the batch, and call `freeze()`.
    """

    latent_shape: tuple[int, ...]
    image_shape: tuple[int, ...]

    @abstractmethod
    def encode(self, image: Image) -> State:
        """Images in [−1, 1], (B, *image_shape) → states (B, *latent_shape): the mean, where the encoder is random."""

    @abstractmethod
    def decode(self, state: State) -> Image:
        """States (B, *latent_shape) → images in about [−1, 1], (B, *image_shape), float32 or better."""

    def freeze(self) -> None:
        """Evaluation mode, and no weight requires a gradient."""
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Autoencoder:
        """Stay in evaluation mode."""
        return super().train(False)
