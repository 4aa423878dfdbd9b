"""A classifier of noisy states that is more, or less, sure than it should be."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.combiners.noisy_classifier import NoisyClassifier
from dsg.diffusion.level import NoiseLevel
from dsg.models.tempered import checked_temperature
from dsg.types import PerSample, State


class TemperedClassifier(NoisyClassifier):
    """p_T(c | x_t) = p(c | x_t)^{1/T} / Σ_k p(k | x_t)^{1/T}: over-confident for T < 1 (Guo et al. 2017, 1706.04599).

        ∇ log p_T(c | x) = 1/T Σ_{k≠c} p_T(k | x) (∇ log p(c | x) − ∇ log p(k | x))

    With two classes T changes the length of the gradient alone, so that DSG, which follows its direction, does not see
    it as long as the gradient is no zero of float; with more it is another mean of the ways out of the others. Asks
    the classifier for every class.

    Args:
        classifier: of noisy states.
        temperature: T > 0; 1 is the classifier itself.

    Raises:
        UserError: for another T.
    """

    def __init__(self, classifier: NoisyClassifier, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier, self.temperature = classifier, checked_temperature(temperature, "TemperedClassifier")
        self.num_classes = classifier.num_classes

    def log_prob(self, x_t: State, level: NoiseLevel, labels: Tensor) -> PerSample:
        classes = torch.arange(self.num_classes, device=labels.device)
        every = [self.classifier.log_prob(x_t, level, c.expand(len(labels))) for c in classes]
        log_p = (torch.stack(every, dim=1) / self.temperature).log_softmax(dim=1)
        return log_p.gather(1, labels[:, None]).flatten()
