"""Vectors drawn from the model itself, where it is a mixture or a table: problems whose posterior is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dsg.data.base import BatchSize, EvaluationData
from dsg.data.examples import LABEL, Example
from dsg.diffusion.noise import Purpose, SampleKey
from dsg.errors import UserError


@runtime_checkable
class DrawnExactly(Protocol):
    """A model whose samples can be drawn exactly: dsg.models.mixture.GaussianMixture, dsg.models.latent.LinearLatents,
    or dsg.models.tokens.JointTable.
    """

    num_classes: int | None

    @property
    def image_shape(self) -> tuple[int, ...]: ...

    @property
    def dimension(self) -> int: ...

    def transform(self, normal: Tensor, condition: Tensor | None = None) -> Tensor: ...


class MixtureDraws(EvaluationData):
    """Problems `0000`, `0001`, ...: x_0 drawn exactly from the model, a Gaussian mixture or a table of tokens.

    A problem is evaluated whole: all its samples are one batch, because a posterior is judged by all of them.

    Args:
        first: number of the first problem, at least 0.
        limit: how many problems.
        samples_per_image: K ≥ 1 samples of each problem's posterior.
        seed: of the draws.
        label: the class of every problem's x_0 and the label that its samples are conditioned on, 0 or above; null
            draws from the whole mixture, and has no labels.
        batch_size: problems a batch, at least 1, or `auto`: as many as the device's memory takes; without influence on
            results.

    Raises:
        UserError: for values outside these ranges, and with a score model that is no GaussianMixture.
    """

    whole_problems = True

    def __init__(
        self,
        first: int = 0,
        limit: int = 20,
        samples_per_image: int = 1000,
        seed: int = 0,
        batch_size: BatchSize = 1,
        label: int | None = None,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size)
        if first < 0:
            raise UserError(f"data.first: must be at least 0, got {first}")
        if label is not None and label < 0:
            raise UserError(f"data.label: must be at least 0, got {label}")
        self.first, self.count, self.seed, self.label = first, limit, seed, label
        self._mixture: DrawnExactly | None = None

    def bind(self, score_model: object) -> None:
        if not isinstance(score_model, DrawnExactly):
            raise UserError(
                f"data: MixtureDraws draws from the score model, and {type(score_model).__name__} cannot be drawn from "
                "exactly; set model.score_model to a GaussianMixture, or take other data"
            )
        if self.label is not None and self.label >= (score_model.num_classes or 0):
            raise UserError(
                f"data.label: the model has {score_model.num_classes or 'no'} classes, got {self.label}; give the "
                "mixture `classes`, or leave the label out"
            )
        self._mixture = score_model
        self.image_shape = score_model.image_shape

    def image_ids(self) -> Sequence[str]:
        return [f"{self.first + i:04d}" for i in range(self.count)]

    def largest_label(self) -> int | None:
        return self.label

    def load(self, image_id: str) -> Example:
        assert self._mixture is not None, "bound before it is read"
        generator = SampleKey(self.seed, image_id).generator(Purpose.REFERENCE)
        normal = torch.from_numpy(generator.standard_normal((1, 1 + self._mixture.dimension)))
        condition = None if self.label is None else torch.tensor([self.label])
        state = self._mixture.transform(normal, condition)[0].float()
        return Example(state, {} if self.label is None else {LABEL: self.label})
