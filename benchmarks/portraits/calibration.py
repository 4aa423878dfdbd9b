"""Whether a classifier means the probabilities that it states."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def best_temperature(logits: Tensor, labels: Tensor) -> float:
    """argmin_T −mean log softmax(logits/T)[label], T in [0.2, 5] (Guo et al. 2017, 1706.04599, eq. 9).

    logits: (N, C); labels: (N,) int64 that the classifier was not trained on.
    """
    temperatures = torch.logspace(-0.7, 0.7, 281, dtype=torch.float64)
    losses = [cross_entropy(logits.double() / t, labels).item() for t in temperatures]
    return float(temperatures[losses.index(min(losses))])


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Σ_b |B_b|/N · |accuracy(B_b) − confidence(B_b)| over equal bins of the confidence (Guo et al. 2017, eq. 3).

    probabilities: (N, C); labels: (N,). In [0, 1].
    """
    confidence, guess = probabilities.double().max(dim=1)
    excess = (guess == labels).double() - confidence
    bin_of = (confidence * bins).long().clamp(max=bins - 1)
    return float(torch.zeros(bins, dtype=torch.float64).index_add(0, bin_of, excess).abs().sum() / len(labels))
