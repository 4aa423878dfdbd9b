"""Modules that keep their precision when others are cast, where half of it gains, and measuring in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor, nn


class KeepsPrecision(nn.Module):
    """A module that stays in the precision that it was made in: moves go through and casts do not, such as those of a
    Trainer that casts all of its modules."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(move, recurse)


class KeepsBuffers(nn.Module):
    """A module whose own buffers stay float32 when the whole is cast to fewer digits, as `bf16-true` does, and whose
    weights do not: buffers that are multiplied by a hundred before a cosine, or compared.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        before = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)
        for name, exact in before.items():
            moved = getattr(self, name)
            if moved.dtype.itemsize < 4 <= exact.dtype.itemsize:
                setattr(self, name, exact.to(moved.device))
        return self


def bfloat16_gains(device: torch.device) -> bool:
    """Whether products of bfloat16 numbers are faster there than those of float32: on every GPU that this project is
    for, on CPUs with AMX, and on AMD's with bfloat16 vectors. Without AMX an Intel core multiplies them no faster."""
    if device.type != "cpu":
        return True
    told = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch do not tell
    by_vectors = told.get("avx512_bf16", False) and not str(told.get("cpu_name", "")).startswith("Intel")
    return told.get("amx_bf16", False) or by_vectors


@contextmanager
def full_float32() -> Iterator[None]:
    """While this is open, products and convolutions of float32 numbers keep float32's 24 bits, whoever allowed less.

    A GPU's TF32 has 11, and torch lets convolutions use it unless told otherwise. That is right for a network and wrong
    for what measures it: a variance as the difference of two means, as in SSIM, has no digit left that it could lose.
    The switches are the process's: what other threads compute meanwhile is in float32 too.
    """
    convolutions, products = torch.backends.cudnn, torch.get_float32_matmul_precision()
    try:
        switch, allowed, refused = (convolutions, "allow_tf32"), convolutions.allow_tf32, False
    except RuntimeError:  # somebody has used torch's newer switch, and from then on the older one is no answer
        switch, refused = (convolutions.conv, "fp32_precision"), "ieee"  # type: ignore[attr-defined]
        allowed = getattr(*switch)
    try:
        setattr(*switch, refused)
        torch.set_float32_matmul_precision("highest")
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        setattr(*switch, allowed)
