"""What a score model is: a frozen network in one convention, with its schedule and the shape of its state."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from dsg.data.examples import LABEL, Examples
from dsg.diffusion.prediction import ModelOutput
from dsg.diffusion.schedule import NoiseLevel, NoiseSchedule
from dsg.media import Medium, medium_of
from dsg.types import Image, State


class ScoreModel(nn.Module, ABC):
    """A frozen model of ε, or of the score −ε/√(1−ā), at any noise level.

    Subclasses set `schedule` and `shape` (of one state, no batch); with classes `num_classes` and, if they were trained
    with dropped labels, `null_class`; and `learns_variance` where they return a `variance_range`. They call `freeze()`
    at the end of `__init__`. A score model knows nothing of tasks and guidance.
    """

    schedule: NoiseSchedule
    shape: tuple[int, ...]
    num_classes: int | None = None
    null_class: int | None = None  # the label for "no class"; without it a model with classes needs labels
    learns_variance: bool = False

    @abstractmethod
    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        """Predict the noise in `x_t`.

        Args:
            x_t: (B, *shape), float32.
            level: the noise level of the whole batch.
            condition: class labels, (B,) int64 in [0, num_classes); None is unconditional.
        """

    @property
    def knows_marginal(self) -> bool:
        """Whether it can be evaluated without a class: an unconditional model, or one with a null class."""
        return self.num_classes is None or self.null_class is not None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one decoded state; a latent model says its own."""
        return self.shape

    @property
    def medium(self) -> Medium:
        """What its decoded states are, and so how they are kept and shown: by their shape pictures or vectors. A model
        of video or volumes says its own.
        """
        return medium_of(self.image_shape)

    def condition(self, examples: Examples) -> Tensor | None:
        """What it is told of a batch of examples: their class labels, (B,) int64; None where they have none."""
        return examples.tensor(LABEL) if LABEL in examples else None

    def decode(self, state: State) -> Image:
        """State → images in [−1, 1]; the identity in pixel space. Differentiable."""
        return state

    def encode(self, image: Image) -> State:
        """Images in [−1, 1] → state; the identity in pixel space."""
        return image

    def freeze(self) -> None:
        """Evaluation mode, and no weight requires a gradient: the backward pass goes to the input only."""
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> ScoreModel:
        """Stay in evaluation mode: a Trainer that switches modes must not wake dropout."""
        return super().train(False)
