"""How different samples of one measurement are."""

from __future__ import annotations

import torch
from torch import nn

from dsg.types import Image


def pixel_deviation(samples: Image) -> float:
    """Standard deviation over K ≥ 2 samples with the divisor K − 1, mean over pixels and channels; (K,C,H,W) → number
    in the samples' own units.
    """
    return samples.cpu().double().std(dim=0).mean().item()


@torch.no_grad()
def mean_pairwise(distance: nn.Module, samples: Image) -> float:
    """Mean of `distance` over the K(K − 1)/2 pairs of K ≥ 2 samples; all pairs of one sample at a time.

    Args:
        distance: two batches (B,C,H,W) → (B,), symmetric.
        samples: (K,C,H,W), in the range that `distance` takes.
    """
    total = sum(distance(samples[:i], samples[i].expand(i, -1, -1, -1)).sum().item() for i in range(1, len(samples)))
    return total / (len(samples) * (len(samples) - 1) / 2)
