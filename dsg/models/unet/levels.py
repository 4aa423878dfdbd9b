"""The residual blocks and the attention of one resolution: on the way down, in the middle, and on the way up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dsg.models.unet.blocks import Attention, Downsample, Residual, Upsample


@dataclass(frozen=True)
class Build:
    """What all levels of a network have in common.

    Args:
        told: how many numbers tell of the timestep and the label.
        head_width: channels of an attention head.
        groups: of the norms.
    """

    told: int
    head_width: int
    groups: int


class Level(nn.Module):
    """Residual blocks one after the other, the first of them with attention after it; as it is, the middle.

    Args:
        inputs: channels that go into each residual block.
        width: channels that come out.
        attentions: how many have attention.
        build: what levels have in common.
    """

    def __init__(self, inputs: Sequence[int], width: int, attentions: int, build: Build) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Residual(before, width, build.told, build.groups) for before in inputs)
        self.attentions = nn.ModuleList(Attention(width, build.head_width, build.groups) for _ in range(attentions))

    def block(self, layer: int, h: Tensor, told: Tensor) -> Tensor:
        h = self.resnets[layer](h, told)
        return self.attentions[layer](h) if layer < len(self.attentions) else h

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        for layer in range(len(self.resnets)):
            h = self.block(layer, h, told)
        return h


class Down(Level):
    """A level that keeps what comes out of each block, and then of the change to the next coarser resolution."""

    def __init__(self, inputs: Sequence[int], width: int, attentions: int, build: Build, changes: bool) -> None:
        super().__init__(inputs, width, attentions, build)
        self.downsamplers = nn.ModuleList([Downsample(width)] * changes)

    def forward(self, h: Tensor, told: Tensor, kept: list[Tensor]) -> Tensor:
        for layer in range(len(self.resnets)):
            h = self.block(layer, h, told)
            kept.append(h)
        for change in self.downsamplers:
            h = change(h)
            kept.append(h)
        return h


class Up(Level):
    """A level whose blocks also read what was kept last, and then the change to the next finer resolution."""

    def __init__(self, inputs: Sequence[int], width: int, attentions: int, build: Build, changes: bool) -> None:
        super().__init__(inputs, width, attentions, build)
        self.upsamplers = nn.ModuleList([Upsample(width)] * changes)

    def forward(self, h: Tensor, told: Tensor, kept: list[Tensor]) -> Tensor:
        for layer in range(len(self.resnets)):
            h = self.block(layer, torch.cat([h, kept.pop()], dim=1), told)
        for change in self.upsamplers:
            h = change(h)
        return h
