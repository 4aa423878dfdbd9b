"""Precision and recall of samples, by nearest neighbours in feature space."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1024  # rows at a time, so that no matrix of all pairs is held


def precision_and_recall(samples: Tensor, reference: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """The share of samples on the reference's manifold, and of the reference on the samples' (Kynkäänniemi et al. 2019,
    equations 1 and 2), both in [0, 1].

    A set's manifold is the union of balls around its members, each as wide as the distance to its k-th nearest other
    member. Both shares depend on the numbers of pictures; compare them at equal ones.

    Args:
        samples: features (n, d), n > k.
        reference: features (m, d), m > k.
        neighbours: k ≥ 1.

    Raises:
        ValueError: of no more than k features on a side.
    """
    if min(len(samples), len(reference)) <= neighbours:
        raise ValueError(f"precision and recall of {neighbours} neighbours need {neighbours + 1} pictures on each side")
    samples, reference = samples.double(), reference.double()
    return _share_inside(samples, reference, neighbours), _share_inside(reference, samples, neighbours)


def _share_inside(points: Tensor, members: Tensor, neighbours: int) -> float:
    radii = torch.cat([_distances(rows, members).kthvalue(neighbours + 1).values for rows in members.split(BLOCK)])
    inside = torch.cat([(_distances(rows, members) <= radii).any(dim=1) for rows in points.split(BLOCK)])
    return inside.double().mean().item()


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """(n, m), without the matrix product that would leave a point at a distance from itself."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
