"""A U-Net of fused blocks: Ronneberger et al. 2015 with the residual blocks and attention of Ho et al. 2020."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from dsg.models.fused.blocks import Attention, Downsample, Norm, Residual, Upsample
from dsg.models.fused.convolution import Convolution
from dsg.models.fused.norm import Parts

Block = Residual | Attention | Downsample | Upsample


class Embedding(nn.Module):
    """What every residual block is told of the timestep and the class: one matrix for all, computed in float32.

    Args:
        time: (B,) → (B, E).
        label: labels (B,) → (B, E), added to it; None without classes.
        projections: E → C or 2C of each residual block, in the order in which they are met.
    """

    def __init__(self, time: nn.Module, label: nn.Module | None, projections: Iterable[nn.Linear]) -> None:
        super().__init__()
        projections = list(projections)
        self.time, self.label = time, label
        self.weight = nn.Parameter(torch.cat([p.weight.float() for p in projections]))
        self.bias = nn.Parameter(torch.cat([p.bias.float() for p in projections]))
        self.sizes = [p.out_features for p in projections]

    def forward(self, times: Tensor, labels: Tensor | None) -> tuple[Tensor, ...]:
        """A (B, C or 2C) for each residual block."""
        embedded = self.time(times) if self.label is None else self.time(times) + self.label(labels)
        return F.linear(F.silu(embedded), self.weight, self.bias).split(self.sizes, dim=1)


class FusedUNet(nn.Module):
    """(x, t[, labels]) → the network's answer, in the precision of its convolutions and channels-last.

    Args:
        embedding: of timestep and class.
        first: the convolution that reads x.
        down: the way to the coarsest resolution, in lists of blocks; the result of each list is kept.
        middle: the blocks there.
        up: the way back; each list begins with a residual block that also reads what was kept last.
        norm: the last norm.
        last: the convolution that answers.

    `recomputed` is the number of resolutions, from the finest, whose blocks keep only what goes into them and are
    computed again in the backward: most of the memory is theirs.
    """

    recomputed = 0

    def __init__(
        self, embedding: Embedding, first: Convolution, down: list[list[Block]], middle: list[Block],
        up: list[list[Block]], norm: Norm, last: Convolution,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding, self.first, self.norm, self.last = embedding, first, norm, last
        self.down = nn.ModuleList(nn.ModuleList(blocks) for blocks in down)
        self.middle = nn.ModuleList(middle)
        self.up = nn.ModuleList(nn.ModuleList(blocks) for blocks in up)

    def forward(self, x: Tensor, times: Tensor, labels: Tensor | None = None) -> Tensor:
        """(B, C, H, W), (B,) and (B,) → (B, C', H, W)."""
        told = iter(self.embedding(times, labels))
        x = x.to(self.first.weight.dtype, memory_format=torch.channels_last)
        h = self.first(x, self.first.bias)
        finest, kept = x.shape[-1], [h]
        for blocks in self.down:
            h = self._through(blocks, (h,), told, finest)
            kept.append(h)
        h = self._through(self.middle, (h,), told, finest)
        for blocks in self.up:
            h = self._through(blocks, (h, kept.pop()), told, finest)
        return self.last(self.norm((h,)), self.last.bias)

    def _through(self, blocks: Any, parts: Parts, told: Iterator[Tensor], finest: int) -> Tensor:
        for block in blocks:
            arguments = (parts, next(told)) if isinstance(block, Residual) else (parts[0],)
            again = parts[0].shape[-1] * 2**self.recomputed > finest and torch.is_grad_enabled()
            parts = (_again(block, *arguments) if again else block(*arguments),)
        return parts[0]


def _again(block: Any, *arguments: Any) -> Tensor:
    return checkpoint(block, *arguments, use_reentrant=False, preserve_rng_state=False)  # type: ignore[return-value]
