"""Samples that are arrays of numbers: exact, and nothing to look at."""

from __future__ import annotations

from safetensors.torch import save
from torch import Tensor

from dsg.data.media.base import Medium


class Vectors(Medium):
    """Arrays of any shape, as `samples` (K, *shape) of a safetensors file."""

    suffix = ".safetensors"
    shares_file = True

    def encode(self, samples: Tensor) -> bytes:
        return save({"samples": samples.contiguous().cpu()})
