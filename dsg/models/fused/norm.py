"""Group norm and SiLU as one operation, whose backward gives the input's gradient alone.

x̂ = (x + p − μ) r,   h = g x̂ + s,   y = h σ(h)

μ and r = 1/√(variance + ε) are of a group of channels of one image. p, g and s are one number a channel, or one an
image and channel where the timestep sets them: the bias of the convolution before belongs into p, scale and shift of
the timestep into g and s. None of them depends on x, so that the backward is, with the means over a group,

dh = dy σ(h) (1 + h (1 − σ(h))),   q = g dh,   dx = r (q − mean(q) − x̂ mean(q x̂)).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Parts = tuple[Tensor, ...]
"""Feature maps (B, C_i, H, W) that stand for their concatenation along the channels."""


def per_image(values: Tensor, like: Tensor) -> Tensor:
    """(C,) or (B, C) → (1 or B, C, 1, 1), in the precision of `like`."""
    return values.to(like.dtype).reshape(-1, values.shape[-1], 1, 1)


def norm_silu(
    parts: Parts, gain: Tensor, shift: Tensor, groups: int, eps: float, offset: Tensor | None = None, silu: bool = True
) -> Tensor:
    """y of the concatenated `parts`, (B, C, H, W), by torch's own operations.

    Args:
        parts: (B, C_i, H, W), one or two, which add up to C channels.
        gain: g, (C,) or (B, C).
        shift: s, of the same shape.
        groups: number of groups of channels, a divisor of C.
        eps: ε, added to the variance.
        offset: p, (C,) or (B, C); None is 0.
        silu: whether the activation follows; else y = h.
    """
    x = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return _NormSiLU.apply(x if offset is None else x + per_image(offset, x), gain, shift, groups, eps, silu)


class _NormSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, shift: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
        h, mean, rstd = _normalised(x, gain, shift, groups, eps)
        ctx.save_for_backward(x, h if silu else x, mean, rstd, gain)
        ctx.silu = silu
        return F.silu(h) if silu else h

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:  # type: ignore[override]
        x, h, mean, rstd, gain = ctx.saved_tensors
        dh = torch.ops.aten.silu_backward(dy, h) if ctx.silu else dy
        return input_gradient(dh, x, mean, rstd, gain), None, None, None, None, None


def _normalised(x: Tensor, gain: Tensor, shift: Tensor, groups: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """h, and μ and r of the groups, (B, groups)."""
    batch, channels, height, width = x.shape
    of_channels = gain.ndim == 1
    # the weights' precision is that of the statistics: bfloat16 would leave them three digits
    weight = gain if of_channels else torch.ones(channels, dtype=gain.dtype, device=x.device)
    bias = shift if of_channels else torch.zeros_like(weight)
    if x.is_cuda:  # where both have to be of one precision, and the statistics are float32 all the same
        weight, bias = weight.to(x.dtype), bias.to(x.dtype)
    h, mean, rstd = torch.native_group_norm(x, weight, bias, batch, channels, height * width, groups, eps)
    return h if of_channels else torch.addcmul(per_image(shift, x), h, per_image(gain, x)), mean, rstd


def input_gradient(dh: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, gain: Tensor) -> Tensor:
    """dx, as g r dh + e x + f with one e and one f an image and group: two sums a channel are all it takes."""
    (batch, channels, height, width), groups = x.shape, mean.shape[1]
    # the layout is often channels-last: rows of channels are summed, and no group is gathered
    sum_dh, sum_dhx = dh.sum((2, 3), dtype=mean.dtype), (dh * x).sum((2, 3), dtype=mean.dtype)
    gain = gain.to(mean.dtype).expand(batch, channels)
    count = channels // groups * height * width
    mean_q = _of_group(gain * sum_dh, groups) / count
    mean_qx = rstd * (_of_group(gain * sum_dhx, groups) / count - mean * mean_q)  # of q x̂

    def of_channel(values: Tensor) -> Tensor:
        return values.repeat_interleave(channels // groups, dim=1)

    e, f = -(rstd**2) * mean_qx, rstd**2 * mean * mean_qx - rstd * mean_q
    rest = torch.addcmul(per_image(of_channel(f), x), x, per_image(of_channel(e), x))
    return rest.addcmul_(dh, per_image(gain * of_channel(rstd), x))


def _of_group(values: Tensor, groups: int) -> Tensor:
    """Sums over the channels of each group: (B, C) → (B, groups)."""
    return values.unflatten(1, (groups, -1)).sum(2)
