"""What the pairs of portrait networks share: a guide that a sampler may follow, and a judge that only ever measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.checkpoint import load_exactly
from dsg.models.weights import TellsWeights
from dsg.types import Image

Role = Literal["guide", "judge"]
SHAPE = (3, 64, 64)


class Twin(TellsWeights, nn.Module, ABC):
    """A frozen network of clean portraits, images (B,3,64,64) in [−1, 1] → features (B, ...), in two roles.

    The two share neither architecture, nor seed, nor training pictures, so that a sample that merely fools the guide
    need not please the judge. The guide is smooth (SiLU), so that its gradient is one to follow.

    Subclasses write `build` and set `kind`, the beginning of the names of their files.

    Args:
        role: `guide` may steer a sampler; `judge` is for measuring alone.
        checkpoint: weights (.safetensors) of the same role; null are those that come with the library.

    Raises:
        UserError: for another role, missing weights, or weights of another network.
    """

    kind: ClassVar[str]

    def __init__(self, role: Role = "guide", checkpoint: str | None = None) -> None:
        super().__init__()
        check_role(role)
        self.role = role
        self.network = self.build(role)
        self.weight_files = load_exactly(self.network, self.weights_file(role) if checkpoint is None else checkpoint)
        self.eval().requires_grad_(False)

    @staticmethod
    @abstractmethod
    def build(role: Role) -> nn.Module:
        """The untrained network of a role, images → features."""

    @classmethod
    def weights_file(cls, role: Role) -> Path:
        """Where the shipped weights of a role are; its quality is beside it, as .json."""
        return Path(__file__).with_name(f"{cls.kind}_{role}.safetensors")

    def forward(self, images: Image) -> Tensor:
        """The features (B, ...). Raises UserError if the images are not (B,3,64,64)."""
        check_images(self, images)
        return self.network(images)


def check_role(role: str) -> None:
    """Raise UserError for another role."""
    if role not in ("guide", "judge"):
        raise UserError(f"role: must be guide or judge, got {role!r}")


def check_images(network: nn.Module, images: Image) -> None:
    """Raise UserError for images that are no portraits."""
    if images.shape[1:] != SHAPE:
        raise UserError(
            f"{type(network).__name__}: needs images of shape {SHAPE}, got {tuple(images.shape[1:])}; "
            "take a network that belongs to the data"
        )
