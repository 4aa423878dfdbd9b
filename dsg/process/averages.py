"""How the losses of K draws become one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from dsg.types import PerSample

Average = Callable[[Tensor], PerSample]
"""Losses (K, B) → (B,), differentiable."""

AverageName = Literal["log_mean_exp", "log_mean_exp_over_draws", "root_sum_square_over_draws"]


def log_mean_exp(losses: Tensor) -> PerSample:
    """−log (1/K Σ_k exp(−L_k)), the loss of the mean likelihood: LGD-MC's paper and TFG."""
    return math.log(len(losses)) - torch.logsumexp(-losses, dim=0)


def log_mean_exp_over_draws(losses: Tensor) -> PerSample:
    """1/K of `log_mean_exp`: LGD-MC in the TFG repository."""
    return log_mean_exp(losses) / len(losses)


def root_sum_square_over_draws(losses: Tensor) -> PerSample:
    """√(Σ_k L_k²)/K, whose gradient shrinks like 1/√K: LGD-MC in InverseBench."""
    return torch.linalg.vector_norm(losses, dim=0) / len(losses)


AVERAGES: Mapping[AverageName, Average] = {
    "log_mean_exp": log_mean_exp,
    "log_mean_exp_over_draws": log_mean_exp_over_draws,
    "root_sum_square_over_draws": root_sum_square_over_draws,
}
