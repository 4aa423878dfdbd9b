"""How an image is continued beyond its border."""

from __future__ import annotations

import torch
from torch import Tensor


def mirror(index: Tensor, size: int, repeat_edge: bool) -> Tensor:
    """The pixel in [0, size) that stands at `index` of the image mirrored again and again at both borders.

        repeat_edge:      c b a | a b c | c b a     ("symmetric")
        not repeat_edge:    c b | a b c | b a       ("reflect")

    Args:
        index: whole numbers, also negative ones and ones far outside.
        size: number of pixels n ≥ 1.
        repeat_edge: whether the pixel at the border appears twice.
    """
    last = 2 * size - 1 if repeat_edge else 2 * size - 2
    period = max(2 * size if repeat_edge else 2 * size - 2, 1)
    index = index % period
    return torch.minimum(index, last - index)


def mirrored_matrix(offsets: Tensor, weights: Tensor, size: int, repeat_edge: bool) -> Tensor:
    """M with (M x)_i = Σ_k weights[i,k] · x[mirror(offsets[i,k])], (rows, size), float64.

    Args:
        offsets: (rows, K) positions, possibly outside the image.
        weights: (rows, K), float64.
        size: number of pixels.
        repeat_edge: as in `mirror`.
    """
    matrix = torch.zeros(len(offsets), size, dtype=torch.float64)
    return matrix.scatter_add_(1, mirror(offsets, size, repeat_edge), weights.expand_as(offsets).double())
