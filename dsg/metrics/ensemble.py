"""How several samples of one measurement lie around the truth: CRPS, and how often an interval of them covers it."""

from __future__ import annotations

import torch
from torch import Tensor

LEVEL = 0.9


def crps(samples: Tensor, truth: Tensor) -> float:
    """Continuous ranked probability score of K ≥ 2 samples, the fair version, mean over all numbers of a sample:

        1/K Σ_i |x_i − x*| − ½ · 1/(K(K−1)) Σ_{i≠j} |x_i − x_j|

    Its expectation is E|X − x*| − ½ E|X − X'| at every K, which no law of X makes smaller than that of x* (Ferro 2014,
    doi 10.1002/qj.2270): for a Gaussian one of standard deviation s it is s/√π there. Of one draw it may be below 0.

    Args:
        samples: (K, ...).
        truth: (...).

    Returns:
        In the samples' own units.
    """
    count, samples = len(samples), samples.double()
    ranks = torch.arange(1, count + 1, dtype=torch.float64, device=samples.device)
    # Σ_{i<j} |x_i − x_j| of sorted samples: each is above those before it and below those behind it
    weights = (2 * ranks - count - 1) / (count * (count - 1))
    spread = torch.einsum("k,k...->...", weights, samples.sort(dim=0).values)
    return ((samples - truth.double()).abs().mean(dim=0) - spread).mean().item()


def nominal_coverage(count: int, level: float = LEVEL) -> float:
    """How often the interval of `coverage` holds a truth that is drawn as the K samples are: `level` where K can say
    so, or else (K − 1)/(K + 1), that of the interval from the smallest to the largest; K ≥ 19 can say 0.9.
    """
    return min(level, (count - 1) / (count + 1))


def coverage(samples: Tensor, truth: Tensor, level: float = LEVEL) -> float:
    """Share of the numbers of a sample whose truth lies in the central interval of K ≥ 2 samples.

    The rank r of x*, how many samples lie below it, is uniform on 0, ..., K where x* is drawn as they are. As many
    ranks are left out at each end as make `nominal_coverage` exact; one that is left out in part counts in part, and a
    truth that ties with samples, as 8-bit pixels do, has each of the ranks between them in equal parts. So it is exact
    for pixels that are all black too, and needs no random numbers.

    Args:
        samples: (K, ...).
        truth: (...).
        level: in (0, 1).
    """
    count = len(samples)
    below, above = (samples < truth).sum(dim=0), (samples > truth).sum(dim=0)
    left_out = (1 - nominal_coverage(count, level)) * (count + 1) / 2
    kept = torch.arange(count + 1, dtype=torch.float64)
    kept = (torch.minimum(kept, count - kept) + 1 - left_out).clamp(0, 1)  # of each rank
    until = torch.cat([torch.zeros(1, dtype=torch.float64), kept.cumsum(0)]).to(samples.device)
    highest = count - above  # the truth's ranks are below, ..., count − above
    return ((until[highest + 1] - until[below]) / (highest + 1 - below)).mean().item()
