"""The temperature that makes a classifier mean the probabilities that it states."""

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
