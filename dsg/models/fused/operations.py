"""Who computes what is no convolution: torch's own operations, or one kernel each on a GPU."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from dsg.models.fused import norm
from dsg.models.fused.norm import Parts

if TYPE_CHECKING:
    from dsg.models.fused.convolution import Convolution


class Operations(Protocol):
    """The operations of a U-Net between its convolutions."""

    def norm_silu(
        self, parts: Parts, gain: Tensor, shift: Tensor, groups: int, eps: float, offset: Tensor | None, silu: bool
    ) -> Tensor:
        """As `dsg.models.fused.norm.norm_silu`."""
        ...

    def add(self, terms: Parts, h: Tensor, convolution: Convolution) -> Tensor:
        """The terms, one or two, plus W h + b."""
        ...


class Plain:
    """By torch's own operations, on any device."""

    norm_silu = staticmethod(norm.norm_silu)

    def add(self, terms: Parts, h: Tensor, convolution: Convolution) -> Tensor:
        return sum(terms, start=convolution(h, convolution.bias))


def operations_for(x: Tensor) -> Operations:
    """The fastest there is where `x` is."""
    return kernels() or _PLAIN if x.is_cuda else _PLAIN


_PLAIN = Plain()


@cache
def kernels() -> Operations | None:
    """Those of a GPU; None where they cannot be compiled."""
    try:
        from dsg.models.fused.kernels import Kernels
    except ImportError:  # torch for some systems comes without Triton
        return None
    return Kernels()
