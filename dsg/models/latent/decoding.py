"""How an autoencoder's passes are run where memory asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from dsg.errors import UserError

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Decoding:
    """What the decoder's and encoder's passes cost in memory and time.

    Args:
        dtype: of weights and activations, whatever the Trainer's precision is; what comes out is float32.
        sliced: one image at a time. Without `checkpointed` it saves nothing where a gradient is taken, since each
            image's activations are kept for it.
        checkpointed: keep only what goes into each block of the network, and compute the rest again for the gradient:
            about a third more time, a fraction of the memory.
        tile_size: side of overlapping square tiles in pixels, which are computed one by one and blended; null is the
            whole image. Another picture than the whole gives: group norms and attention see their tile alone.

    Raises:
        UserError: for another dtype, or a side that is no size.
    """

    dtype: Precision = "float32"
    sliced: bool = False
    checkpointed: bool = False
    tile_size: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in get_args(Precision):
            raise UserError(f"decoding.dtype: must be one of {', '.join(get_args(Precision))}, got {self.dtype!r}")
        if self.tile_size is not None and self.tile_size < 1:
            raise UserError(f"decoding.tile_size: must be a side in pixels or null, got {self.tile_size}")

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)
