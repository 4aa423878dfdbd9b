"""Convolutions with frozen weights whose bias, or whose concatenated input, is left to whoever is next to it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from dsg.models.fused.norm import Parts


class Convolution(nn.Module):
    """A convolution that keeps its bias apart, so that whoever comes next can add it on the way."""

    def __init__(self, convolution: nn.Conv2d | nn.Linear) -> None:
        super().__init__()
        weight, bias = convolution.weight, convolution.bias
        self.weight = nn.Parameter(weight if weight.ndim == 4 else weight[:, :, None, None])
        self.bias = nn.Parameter(weight.new_zeros(len(weight)) if bias is None else bias)
        self.stride, self.padding = getattr(convolution, "stride", 1), getattr(convolution, "padding", 0)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """W x, plus `bias` where it is given."""
        return F.conv2d(x, self.weight, bias, self.stride, self.padding)


class Shortcut(nn.Module):
    """A 1×1 convolution of concatenated feature maps, without its bias: one product a part, and no concatenation.

    Args:
        convolution: of them together.
        widths: channels of each part.
    """

    def __init__(self, convolution: nn.Conv2d, widths: Sequence[int]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(part.clone() for part in convolution.weight.split(list(widths), dim=1))

    def forward(self, parts: Parts) -> Parts:
        """(B, C_i, H, W) of each part → terms (B, C, H, W) of the sum."""
        return tuple(F.conv2d(part, weight) for part, weight in zip(parts, self.weights, strict=True))
