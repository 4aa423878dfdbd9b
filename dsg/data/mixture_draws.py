"""Vectors drawn from a mixture or a table, by default the model itself: problems whose posterior is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

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
    """Problems `0000`, `0001`, ...: x_0 drawn exactly from the model, a mixture or a table of tokens, or a `prior`.

    A problem is evaluated whole: all its samples are one batch, because a posterior is judged by all of them. With a
    `prior` that is not the score model's, samples are still judged by the posterior of what the data was drawn from:
    the difference is what a mismatched score costs (2410.13746).

    Args:
        first: number of the first problem, at least 0.
        limit: how many problems.
        samples_per_image: K ≥ 1 samples of each problem's posterior.
        seed: of the draws.
        label: the class of every problem's x_0 and the label that its samples are conditioned on, 0 or above; null
            draws from the whole mixture, and has no labels.
        prior: what x_0 is drawn from, a GaussianMixture, or LinearLatents, of pictures as the score model's; null is
            the score model itself.
        batch_size: problems a batch, at least 1, or `auto`: as many as the device's memory takes; without influence on
            results.

    Raises:
        UserError: for values outside these ranges; before the first sample, if x_0 cannot be drawn exactly, or the
            prior has another shape than the score model.
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
        prior: nn.Module | None = None,
    ) -> None:
        super().__init__(limit, samples_per_image, batch_size)
        if first < 0:
            raise UserError(f"data.first: must be at least 0, got {first}")
        if label is not None and label < 0:
            raise UserError(f"data.label: must be at least 0, got {label}")
        self.first, self.count, self.seed, self.label = first, limit, seed, label
        if prior is not None and not isinstance(prior, DrawnExactly):
            raise UserError(
                f"data.prior: {type(prior).__name__} cannot be drawn from exactly; give a GaussianMixture, or null for "
                "the score model itself"
            )
        self.prior = prior
        self._mixture: DrawnExactly | None = prior

    def bind(self, score_model: object) -> None:
        drawn = score_model if self.prior is None else self.prior
        if not isinstance(drawn, DrawnExactly):
            raise UserError(
                f"data: MixtureDraws draws from the score model, and {type(score_model).__name__} cannot be drawn from "
                "exactly; set model.score_model to a GaussianMixture, give data.prior, or take other data"
            )
        for name, known in (("model", score_model), ("prior", drawn)):
            classes = getattr(known, "num_classes", None) or 0
            if self.label is not None and self.label >= classes:
                raise UserError(
                    f"data.label: the {name} has {classes or 'no'} classes, got {self.label}; give the mixture "
                    "`classes`, or leave the label out"
                )
        shape = tuple(getattr(score_model, "image_shape", drawn.image_shape))
        if shape != tuple(drawn.image_shape):
            raise UserError(
                f"data.prior: it has the shape {tuple(drawn.image_shape)} and the score model {shape}; give a prior of "
                "the same shape"
            )
        self._mixture = drawn
        self.image_shape = drawn.image_shape

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
