"""Discriminators of noisy states: how likely a state is of the data, and not of what a model makes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from dsg.diffusion.condition import Condition, class_labels
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture
from dsg.models.weights import TellsWeights
from dsg.types import PerSample, State


class Discriminator(TellsWeights, nn.Module, ABC):
    """A frozen d(x_t, t) in (0, 1), at the noise levels of a score model, told by its logit.

    The best one has log d/(1−d) = log p_t(x)/q_t(x), p_t of noised data and q_t of noised samples of the model.
    Subclasses set `shape`, of one state; `schedule`, whose levels they were trained at, if they do not know all; and
    `num_classes`, if they are told a class.
    """

    shape: tuple[int, ...]
    schedule: Schedule | None = None
    num_classes: int | None = None

    @abstractmethod
    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        """log d/(1−d) of each sample, (B,). Differentiable, twice under a loss guidance.

        Args:
            x_t: (B, *shape).
            level: the noise level of the whole batch.
            condition: each sample's class, if it has `num_classes`.
        """


class MixtureDiscriminator(Discriminator):
    """The best discriminator of two Gaussian mixtures, log p_t(x) − log q_t(x), at every level.

    Args:
        data: p_0.
        model: q_0, what the score model makes; of the same shape.
        conditional: compare p_t(x|c) with q_t(x|c), where both have the same classes.

    Raises:
        UserError: for mixtures of different shapes, or `conditional` without the same classes.
    """

    def __init__(self, data: GaussianMixture, model: GaussianMixture, conditional: bool = False) -> None:
        super().__init__()
        if data.shape != model.shape:
            raise UserError(f"MixtureDiscriminator: data are {data.shape} and the model's samples {model.shape}")
        if conditional and (data.num_classes is None or data.num_classes != model.num_classes):
            raise UserError(
                f"MixtureDiscriminator: conditional needs the same classes, and there are {data.num_classes or 0} and "
                f"{model.num_classes or 0}; set conditional to false"
            )
        self.data, self.model, self.shape = data, model, data.shape
        self.num_classes = data.num_classes if conditional else None

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        told = self.num_classes is not None
        labels = class_labels(condition, "MixtureDiscriminator").to(x_t.device) if told else None
        return self.data.log_prob(x_t, level, labels) - self.model.log_prob(x_t, level, labels)
