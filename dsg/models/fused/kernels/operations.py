"""The kernels behind one face with torch's own operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dsg.models.fused.kernels.addition import Addition
from dsg.models.fused.kernels.norm import NormSiLU
from dsg.models.fused.norm import Parts

if TYPE_CHECKING:
    from dsg.models.fused.convolution import Convolution


class Kernels:
    """The operations of a U-Net between its convolutions, each one pass over the feature maps or two."""

    def norm_silu(
        self, parts: Parts, gain: Tensor, shift: Tensor, groups: int, eps: float, offset: Tensor | None, silu: bool
    ) -> Tensor:
        offset = torch.zeros_like(gain) if offset is None else offset
        return NormSiLU.apply(gain, shift, groups, eps, offset, silu, *parts)

    def add(self, terms: Parts, h: Tensor, convolution: Convolution) -> Tensor:
        return Addition.apply(convolution.bias, *terms, convolution(h))
