"""What every frozen model has, whatever it diffuses: its condition, and how its states are decoded and kept."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from dsg.data.examples import LABEL, NEGATIVE_PROMPT, PROMPT, Examples, Value
from dsg.data.media import Medium, medium_of
from dsg.diffusion.condition import ClassLabels, Condition
from dsg.errors import UserError
from dsg.models.weights import TellsWeights
from dsg.types import Image


class FrozenModel(TellsWeights, nn.Module, ABC):
    """A frozen network with all that it alone knows, whatever the process is that it undoes.

    Subclasses set `shape` (of one state, no batch); with classes `num_classes` and, if they were trained with dropped
    labels, `null_class`; and `weight_files` where weights were read, whose hashes `weights` tells. They call `freeze()`
    at the end of `__init__`. A model knows nothing of tasks and guidance.
    """

    shape: tuple[int, ...]
    num_classes: int | None = None
    null_class: int | None = None  # the label for "no class"; without it a model with classes needs labels

    @property
    def is_conditional(self) -> bool:
        """Whether it takes a condition."""
        return self.num_classes is not None

    @property
    def knows_marginal(self) -> bool:
        """Whether it can be evaluated without a condition: an unconditional model, or one with a null class."""
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

    def condition(self, examples: Examples) -> Condition | None:
        """What it is told of a batch of examples: here their class labels, None where they have none.

        A model that is told of something else makes its own kind of condition, of the columns that it `hears`.

        Raises:
            UserError: for labels that are no classes of it.
        """
        if LABEL not in examples:
            return None
        labels, classes = examples.tensor(LABEL), self.num_classes
        if classes is not None and not ((labels >= 0) & (labels < classes) | (labels == self.null_class)).all():
            raise UserError(f"model: knows the classes 0 to {classes - 1}, got {sorted(set(labels.tolist()))}")
        return ClassLabels(labels)

    @property
    def hears(self) -> frozenset[str]:
        """The columns of the data that `condition` is made of; none of an unconditional model."""
        return frozenset() if self.num_classes is None else frozenset({LABEL})

    @property
    def requires(self) -> frozenset[str]:
        """Those of the columns that it hears without which it cannot be evaluated."""
        return frozenset() if self.knows_marginal else self.hears

    def mend(self, missing: Sequence[str]) -> str:
        """What to do where the data lacks columns that it hears and somebody needs."""
        return "add it to the folder's metadata, or take other data"

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        """Refuse examples of which it cannot make its condition, as far as that can be told before any is loaded.

        Args:
            known: of a column, the values by image id; empty where they are not known.

        Raises:
            UserError: names the image, and how to mend it.
        """

    def notes(self, columns: frozenset[str], leads_away: bool) -> Sequence[str]:
        """What whoever starts an evaluation should be told of what it hears, a line each.

        Args:
            columns: of the data, but for those that the task reads.
            leads_away: whether the combiner leads away from the condition's `null`.
        """
        unheard = sorted(columns & {PROMPT, NEGATIVE_PROMPT})
        if not unheard or PROMPT in self.hears:
            return ()
        return (f"not read: the data's {' and '.join(unheard)}, since {type(self).__name__} is told of no text",)

    @property
    def has_decoder(self) -> bool:
        """Whether `decode` is more than the identity, so that its passes are counted and A of it is not linear."""
        return type(self).decode is not FrozenModel.decode

    @property
    def has_encoder(self) -> bool:
        """Whether pictures can be taken to states: in pixel space, and where a model of latents says how."""
        return not self.has_decoder or type(self).encode is not FrozenModel.encode

    def decode(self, state: Tensor) -> Image:
        """State → images in [−1, 1]; the identity in pixel space. Differentiable."""
        return state

    def encode(self, image: Image) -> Tensor:
        """Images in [−1, 1] → state; the identity in pixel space."""
        return image

    def freeze(self) -> None:
        """Evaluation mode, and no weight requires a gradient: the backward pass goes to the input only."""
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FrozenModel:
        """Stay in evaluation mode: a Trainer that switches modes must not wake dropout."""
        return super().train(False)
