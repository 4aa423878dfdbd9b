"""Classifiers of noisy states, which classifier guidance follows."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture
from dsg.types import PerSample, State


class NoisyClassifier(nn.Module, ABC):
    """A frozen p(class | x_t) at every noise level of the score model. Subclasses set `num_classes`."""

    num_classes: int

    @abstractmethod
    def log_prob(self, x_t: State, level: NoiseLevel, labels: Tensor) -> PerSample:
        """log p_t(label | x_t) of each sample's own label, (B,). Differentiable, twice under a loss guidance.

        Args:
            x_t: (B, *shape).
            level: the noise level of the whole batch.
            labels: (B,) int64 in [0, num_classes).
        """


class MixtureClassifier(NoisyClassifier):
    """The exact classifier of a Gaussian mixture with classes: log p_t(c | x) = log Σ_{i∈c} r_i.

    Args:
        mixture: with classes.

    Raises:
        UserError: if the mixture has no classes.
    """

    def __init__(self, mixture: GaussianMixture) -> None:
        super().__init__()
        if mixture.num_classes is None:
            raise UserError("MixtureClassifier: the mixture has no classes; give it `classes`")
        self.mixture = mixture
        self.num_classes = mixture.num_classes

    def log_prob(self, x_t: State, level: NoiseLevel, labels: Tensor) -> PerSample:
        return self.mixture.classifier_log_prob(x_t, labels, level)
