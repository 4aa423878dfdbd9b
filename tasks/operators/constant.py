"""Tensors of an operator that never change: computed in float64, cast once."""

from __future__ import annotations

import torch
from torch import Tensor


class Constant:
    """A float64 (or complex128) tensor that is handed out in the dtype and on the device of what it meets.

    Every copy is made once. The float32 copy on `device` is made at once, so that no later step waits for it.

    Args:
        value: the float64 or complex128 tensor, on the CPU.
        device: where the images will be.
    """

    def __init__(self, value: Tensor, device: torch.device | str = "cpu") -> None:
        self.value = value.detach().cpu()
        self._copies: dict[tuple[torch.dtype, torch.device], Tensor] = {}
        self.like(torch.empty(0, dtype=torch.float32, device=device))

    def like(self, x: Tensor) -> Tensor:
        """The value in the precision and on the device of `x` (a real tensor)."""
        key = (x.dtype, x.device)
        if key not in self._copies:
            dtype = x.dtype.to_complex() if self.value.is_complex() else x.dtype
            self._copies[key] = self.value.to(dtype).to(x.device)
        return self._copies[key]
