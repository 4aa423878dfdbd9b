"""The U-Net of Ho et al. 2020 (2006.11239, appendix B) in plain torch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from dsg.models.unet.blocks import TimeEmbedding
from dsg.models.unet.levels import Build, Down, Level, Up


class UNet(nn.Module):
    """(x (B,channels,H,W), t (B,), labels (B,) in 0..num_labels−1) → (B,channels,H,W).

    The same function as a `UNet2DModel` of diffusers with the same weights, which have the same names. The embedded
    networks are of this class, so that they run, and are imported fast, where diffusers is not.

    Args:
        channels: of the state.
        widths: channels of each resolution, from the finest; multiples of `groups`.
        attention: which resolutions have attention after each residual block. The middle has it in any case.
        num_labels: number of labels that it is told.
        layers: residual blocks of a resolution on the way down; on the way up it has one more.
        head_width: channels of an attention head; divides the widths where attention is.
        groups: of the norms.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], attention: Sequence[bool], num_labels: int,
        layers: int = 1, head_width: int = 32, groups: int = 16,
    ) -> None:  # fmt: skip
        super().__init__()
        self.channels, self.widths, self.attention = channels, tuple(widths), tuple(attention)
        self.num_labels, self.layers, self.build = num_labels, layers, Build(4 * widths[0], head_width, groups)
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], self.build.told)
        self.class_embedding = nn.Embedding(num_labels, self.build.told)
        levels, kept = list(zip(widths, attention, strict=True)), [widths[0]]
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for depth, (width, attends) in enumerate(levels):
            inputs, coarser = [kept[-1], *[width] * (layers - 1)], depth < len(levels) - 1
            self.down_blocks.append(Down(inputs, width, attends * len(inputs), self.build, coarser))
            kept += [width] * (layers + coarser)
        before = widths[-1]
        self.mid_block = Level([before, before], before, 1, self.build)
        for depth, (width, attends) in reversed(list(enumerate(levels))):
            inputs = [(width if layer else before) + kept.pop() for layer in range(layers + 1)]
            self.up_blocks.append(Up(inputs, width, attends * len(inputs), self.build, depth > 0))
            before = width
        self.conv_norm_out = nn.GroupNorm(groups, widths[0])
        self.conv_out = nn.Conv2d(widths[0], channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        told = F.silu(self.time_embedding(t) + self.class_embedding(labels))
        h = self.conv_in(x)
        kept = [h]
        for level in self.down_blocks:
            h = level(h, told, kept)
        h = self.mid_block(h, told)
        for level in self.up_blocks:
            h = level(h, told, kept)
        return self.conv_out(F.silu(self.conv_norm_out(h)))
