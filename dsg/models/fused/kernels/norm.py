"""`dsg.models.fused.norm.norm_silu` by three kernels forward and three backward; of x nothing but x is kept."""

# pyright: reportArgumentType=false, reportIndexIssue=false
from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from dsg.models.fused.kernels import backward, forward
from dsg.models.fused.kernels.tiles import PIXELS, Walk, laid_out


class NormSiLU(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, gain: Tensor, shift: Tensor, groups: int, eps: float, offset: Tensor, silu: bool, *parts: Tensor
    ) -> Tensor:
        parts = laid_out(parts)
        walk, one, two = Walk.over(parts), parts[0], parts[-1]
        means = one.new_empty(walk.batch, walk.chunks, walk.channels, dtype=torch.float32)
        squares = torch.empty_like(means)
        tiles, sizes = _tiles(walk), (walk.pixels, walk.channels, walk.first)
        activation: dict[str, Any] = {"SILU": silu}
        forward.chunk_statistics[walk.grid](one, two, means, squares, *sizes, **tiles)
        table = one.new_empty(walk.batch, 4, walk.channels, dtype=torch.float32)
        forward.coefficients[(groups, walk.batch)](
            means, squares, gain, shift, offset, table, walk.pixels, walk.channels, walk.chunks,
            walk.rows, _row(gain), _row(offset), eps, **_groups(walk, groups),
        )  # fmt: skip
        shape = (walk.batch, walk.channels, *one.shape[2:])
        out = torch.empty(shape, dtype=one.dtype, device=one.device, memory_format=torch.channels_last)
        forward.apply[walk.grid](one, two, out, table, *sizes, **tiles, **activation)
        ctx.save_for_backward(table, *parts)
        ctx.groups, ctx.silu = groups, silu
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:  # type: ignore[override]
        table, *parts = ctx.saved_tensors
        walk, one, two = Walk.over(tuple(parts)), parts[0], parts[-1]
        (dy,) = laid_out((dy,))
        tiles, sizes = _tiles(walk), (walk.pixels, walk.channels, walk.first)
        activation: dict[str, Any] = {"SILU": ctx.silu}
        sums = table.new_empty(walk.batch, walk.chunks, 2, walk.channels)
        backward.chunk_sums[walk.grid](one, two, dy, table, sums, *sizes, **tiles, **activation)
        ends = table.new_empty(walk.batch, 2, walk.channels)
        backward.coefficients[(ctx.groups, walk.batch)](
            sums, table, ends, walk.pixels, walk.channels, walk.chunks, **_groups(walk, ctx.groups)
        )
        found = [torch.empty_like(part) for part in parts]
        backward.apply[walk.grid](one, two, dy, table, ends, found[0], found[-1], *sizes, **tiles, **activation)
        return None, None, None, None, None, None, *found


def _row(values: Tensor) -> int:
    """How far apart two images' numbers are; 0 where all share one row."""
    return 0 if values.ndim == 1 else values.stride(0)


def _tiles(walk: Walk) -> dict[str, Any]:
    return {"ROWS": walk.rows, "PIXELS": PIXELS, "BLOCK": walk.block}


def _groups(walk: Walk, groups: int) -> dict[str, Any]:
    width = walk.channels // groups
    return {"CHUNKS": triton.next_power_of_2(walk.chunks), "GROUP": width, "WIDTH": triton.next_power_of_2(width)}
