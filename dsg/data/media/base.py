"""What a medium is: how samples are kept in files, and whether they can be looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

from torch import Tensor

from dsg.types import Image


class Pictured(Protocol):
    """A task that can say how its measurement looks."""

    def picture(self, measurement: Any) -> Image: ...


class Medium(ABC):
    """What a score model's decoded states are.

    Another medium (video, volumes) is a subclass in a file of its own, which the score model returns as `medium`. It
    needs `suffix` and `encode`; the rest says by default that it cannot be looked at.
    """

    suffix: ClassVar[str]  # of the files, with its dot
    shares_file: ClassVar[bool] = False  # whether the samples of a problem that is one batch are one file
    is_picture: ClassVar[bool] = False  # whether a sample is one picture, (C,H,W) in [−1, 1], for metrics of pictures

    @abstractmethod
    def encode(self, samples: Tensor) -> bytes:
        """The content of a file, of (K, *shape): K = 1 unless the medium shares files."""

    def as_kept(self, samples: Tensor) -> Tensor:
        """The samples as their files hold them, (B, *shape): rounded, where that loses something."""
        return samples

    def preview(self, states: Tensor) -> Image | None:
        """How states look, (B, *shape) → (B,C,h,w) in [−1, 1], C = 1 or 3; None where there is nothing to look at."""
        return None

    def preview_measurement(self, task: Pictured, measurement: Any) -> Image | None:
        """How what `task` measured looks, (B,C,h,w) in [−1, 1] of any size; None as above."""
        return None

    def files(self, image_id: str, sample: int, whole_problem: bool = False) -> list[str]:
        """The files that a run folder holds of a sample, below it.

        Args:
            image_id: of the example.
            sample: its number, at least 0.
            whole_problem: whether all samples of the example are always made together.
        """
        number = 0 if whole_problem and self.shares_file else sample
        return [f"samples/{image_id}{self.suffix}" if number == 0 else f"samples/{image_id}.{number}{self.suffix}"]
