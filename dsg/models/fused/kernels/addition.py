"""The end of a residual block: what the blocks before gave, the convolution's answer and its bias in one pass."""

# pyright: reportArgumentType=false, reportIndexIssue=false
from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from dsg.models.fused.kernels.tiles import laid_out

SIZE = 1024


@triton.jit
def sum_of(one, two, three, bias, out, size, channels, THREE: tl.constexpr, SIZE: tl.constexpr):
    """one + two (+ three) + bias, the channels being innermost."""
    place = tl.program_id(0).to(tl.int64) * SIZE + tl.arange(0, SIZE)
    inside = place < size
    total = tl.load(one + place, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(two + place, mask=inside, other=0.0).to(tl.float32)
    if THREE:
        total += tl.load(three + place, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(bias + place % channels, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + place, total, mask=inside)


class Addition(torch.autograd.Function):
    """Two or three terms (B, C, H, W) and a bias (C,); the gradient passes on to each term as it is."""

    @staticmethod
    def forward(ctx: Any, bias: Tensor, *terms: Tensor) -> Tensor:
        ctx.terms = len(terms)
        terms = laid_out(terms)
        out = torch.empty_like(terms[0])
        grid = (triton.cdiv(out.numel(), SIZE),)
        third = terms[2] if len(terms) == 3 else terms[0]
        constants: dict[str, Any] = {"THREE": len(terms) == 3, "SIZE": SIZE}
        sum_of[grid](terms[0], terms[1], third, bias, out, out.numel(), out.shape[1], **constants)
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:  # type: ignore[override]
        return None, *[dy] * ctx.terms
