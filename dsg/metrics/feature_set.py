"""A set of pictures in features: statistics of all, features of some, from a network or from a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.metrics.frechet import Moments, Statistics


@dataclass(frozen=True)
class FeatureSet:
    """A set of pictures, in features.

    Args:
        statistics: of all of them.
        features: (n, d), all or evenly picked ones; None where only the statistics are known.
    """

    statistics: Statistics
    features: Tensor | None = None


def collect(batches: Iterable[Tensor], total: int, dimension: int, subset: int) -> FeatureSet:
    """Statistics of all features, and at most `subset` of them, picked evenly.

    Args:
        batches: (B, d) each, `total` features altogether.
        subset: how many to keep; the memory does not grow beyond that.

    Raises:
        ValueError: of fewer than two features.
    """
    picked = evenly(total, subset)
    moments, kept, seen = Moments(dimension), [], 0
    for batch in batches:
        moments.add(batch)
        here = picked[(picked >= seen) & (picked < seen + len(batch))] - seen
        kept.append(batch[here])
        seen += len(batch)
    return FeatureSet(moments.statistics(), torch.cat(kept) if kept else None)


def evenly(total: int, subset: int) -> Tensor:
    """At most `subset` of the indices 0 ... total − 1, evenly spaced."""
    count = min(total, subset)
    return torch.arange(count) * total // max(count, 1)


def read_statistics(file: Path, dimension: int | None = None) -> FeatureSet:
    """A .npz with `mu` (d,) and `sigma` (d, d), or `feats` (n, d), or both; `n`, how many pictures, if it is known.

    Raises:
        UserError: if it is missing, holds something else, or features of another dimension.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            feats = torch.from_numpy(arrays["feats"]).float() if "feats" in arrays else None
            if "mu" in arrays:
                mean, covariance = (torch.from_numpy(arrays[name].astype(np.float64)) for name in ("mu", "sigma"))
                statistics = Statistics(mean, covariance, int(arrays["n"]) if "n" in arrays else None)
            else:
                moments = Moments(arrays["feats"].shape[1])
                moments.add(torch.from_numpy(arrays["feats"]))
                statistics = moments.statistics()
    except (OSError, KeyError, ValueError, IndexError, BadZipFile, TypeError, AttributeError) as error:
        raise UserError(
            f"distribution.reference: {file} cannot be read as a .npz with mu (d,) and sigma (d, d), or feats (n, d)"
        ) from error
    d = len(statistics.mean) if dimension is None else dimension
    shapes = [statistics.mean.shape == (d,), statistics.covariance.shape == (d, d)]
    if not all(shapes) or (feats is not None and feats.shape[1:] != (d,)):
        found = "x".join(map(str, statistics.covariance.shape))
        raise UserError(f"distribution.reference: {file} holds a covariance of {found}, and {d} features are compared")
    return FeatureSet(statistics, feats)
