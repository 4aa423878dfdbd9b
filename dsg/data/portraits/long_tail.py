"""A long-tailed set of the portraits: each class has fewer pictures than the one before it."""

from __future__ import annotations

import numpy as np

from dsg.data.portraits.attributes import CLASSES, class_label, draw_traits
from dsg.errors import UserError


def class_counts(largest: int, ratio: float, classes: int = len(CLASSES)) -> tuple[int, ...]:
    """How many pictures each class has, ⌊n_max ρ^{c/(C−1)}⌋ of class c = 0 ... C − 1 (Cao et al. 2019, 1906.07413).

    Args:
        largest: n_max, pictures of class 0.
        ratio: ρ in (0, 1], the last class's share of the first one's; 1 is balanced.
        classes: C, at least 2.

    Raises:
        UserError: for a ratio outside its range, and where a class would have no picture.
    """
    if not 0.0 < ratio <= 1.0:
        raise UserError(f"ratio: must be in (0, 1], got {ratio}; 0.01 leaves the last class a hundredth of the first")
    # a rounding error must not cost a picture: 100 · 0.01 is 1
    counts = tuple(int(largest * ratio ** (c / (classes - 1)) + 1e-9) for c in range(classes))
    if empty := [c for c, count in enumerate(counts) if count < 1]:
        raise UserError(
            f"class {empty[0]} would have no picture: {largest} of class 0 and a ratio of {ratio} leave it less than "
            "one; take more pictures or a larger ratio"
        )
    return counts


def picture_indices(first: int, counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The first portraits from `first` on of which each class has as many as `counts` says, by rising index.

    Args:
        first: index of the first portrait that may be taken.
        counts: of each class.

    Returns:
        indices (N,) int64 and their classes (N,) int64, N = Σ counts.
    """
    if len(counts) > len(CLASSES) or any(count < 0 for count in counts):
        raise UserError(f"portraits of each class: at most {len(CLASSES)} numbers, none below 0, got {list(counts)}")
    missing = list(counts)
    indices, labels, index = [], [], first
    while any(missing):
        label = class_label(draw_traits(index))
        if label < len(missing) and missing[label]:
            missing[label] -= 1
            indices.append(index)
            labels.append(label)
        index += 1
    return np.array(indices, dtype=np.int64), np.array(labels, dtype=np.int64)
