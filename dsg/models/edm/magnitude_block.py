"""EDM2's residual block."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dsg.models.edm.attention import attend
from dsg.models.edm.magnitude import MPConv, mp_silu, mp_sum, normalize, resample


class Block(nn.Module):
    """Karras et al. 2024 (2312.02696), figure 2, configuration G.

    An encoder's branch starts from the normalised main path, a decoder's from the path as it came.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        emb_channels: of the embedding of noise level and class.
        flavor: `enc` or `dec`.
        resample_mode: what it does to the size, before all else.
        attention: self-attention after the block.
        channels_per_head: width of a head; a block of fewer channels has no attention.
        dropout: of the training; a frozen network drops nothing.
        res_balance: the branch's share of its sum with the main path.
        attn_balance: the attention's share of its sum with the main path.
        clip_act: largest magnitude that goes out.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        emb_channels: int,
        flavor: Literal["enc", "dec"] = "enc",
        resample_mode: Literal["keep", "up", "down"] = "keep",
        attention: bool = False,
        channels_per_head: int = 64,
        dropout: float = 0.0,
        res_balance: float = 0.3,
        attn_balance: float = 0.3,
        clip_act: float = 256.0,
    ) -> None:
        super().__init__()
        self.encodes, self.clip_act = flavor == "enc", clip_act
        self.resample_mode: Literal["keep", "up", "down"] = resample_mode
        self.res_balance, self.attn_balance = res_balance, attn_balance
        self.heads = out_channels // channels_per_head if attention else 0
        self.emb_gain = nn.Parameter(torch.zeros([]))
        self.emb_linear = MPConv(emb_channels, out_channels, [])
        self.conv_res0 = MPConv(out_channels if self.encodes else in_channels, out_channels, [3, 3])
        self.conv_res1 = MPConv(out_channels, out_channels, [3, 3])
        self.conv_skip = MPConv(in_channels, out_channels, [1, 1]) if in_channels != out_channels else None
        if self.heads:
            self.attn_qkv = MPConv(out_channels, 3 * out_channels, [1, 1])
            self.attn_proj = MPConv(out_channels, out_channels, [1, 1])

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(B, in_channels, H, W) and (B, emb_channels) → (B, out_channels, H', W')."""
        x = resample(x, self.resample_mode)
        if self.encodes:
            x = normalize(self._projected(x), dim=1)
        branch = self.conv_res0(mp_silu(x))
        told = self.emb_linear(embedding, gain=self.emb_gain.float()) + 1.0
        branch = self.conv_res1(mp_silu(branch * told[:, :, None, None].to(branch.dtype)))
        x = mp_sum(x if self.encodes else self._projected(x), branch, self.res_balance)
        if self.heads:
            attended = attend(self.attn_qkv(x), self.heads, lambda parts: normalize(parts, dim=-1))
            x = mp_sum(x, self.attn_proj(attended), self.attn_balance)
        return x.clip(-self.clip_act, self.clip_act)

    def _projected(self, x: Tensor) -> Tensor:
        return x if self.conv_skip is None else self.conv_skip(x)
