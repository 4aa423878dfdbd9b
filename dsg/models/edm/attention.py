"""Self-attention over the pixels of a feature map, with queries, keys and values interleaved as EDM stores them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F


def attend(qkv: Tensor, heads: int, normalise: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """softmax(qᵀk/√c) over the pixels; (B, 3C, H, W) → (B, C, H, W).

    Channel (h·c + i)·3 + j of `qkv` is channel i of head h of the query, key and value, for j = 0, 1, 2; a head has
    c = C/heads channels. Logits and softmax are float32 at any precision, inside torch.

    Args:
        qkv: as it comes from one 1×1 convolution.
        heads: how many.
        normalise: of (B, heads, pixels, 3, c), over the last axis; EDM2 normalises all three.
    """
    batch, channels, *size = qkv.shape
    parts = qkv.reshape(batch, heads, channels // (3 * heads), 3, -1).permute(0, 1, 4, 3, 2)
    if normalise is not None:
        parts = normalise(parts)
    q, k, v = parts.unbind(3)
    out = F.scaled_dot_product_attention(q, k, v)
    return out.transpose(2, 3).reshape(batch, channels // 3, *size)
