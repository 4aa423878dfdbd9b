"""Which features come together, wherever they are: the style of a picture, as a network sees it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from dsg.errors import UserError
from dsg.types import Image, at_least_float32
from tasks.networks.layer import find_layer, output_of


@runtime_checkable
class OfBlocks(Protocol):
    """A network of residual blocks that all have the same tokens, such as `tasks.networks.clip.CLIP`."""

    def tokens(self, images: Image, blocks: int) -> Tensor:
        """(B,C,H,W) in [−1, 1] → what stands for each patch after the first `blocks` blocks, (B,N,W)."""
        ...


class Gram(nn.Module):
    """G = TᵀT, (B,C,C) float32 or better, of what a layer says at N places, T (N,C) (Gatys et al. 2016, eq. 3, without
    its factors). A layer says (B,C,H,W), or tokens (B,N,C).

    Args:
        network: images (B,C,H,W) in [−1, 1] → anything.
        layer: the name of a module in it, or of one with `tokens`, after how many blocks they are.

    Raises:
        UserError: if there is no such layer; when asked, if it has no places.
    """

    def __init__(self, network: nn.Module, layer: int | str) -> None:
        super().__init__()
        if isinstance(layer, str):
            find_layer(network, layer)
        elif not isinstance(network, OfBlocks):
            raise UserError(
                f"layer: {type(network).__name__} has no blocks to be counted, got {layer}; take the name of a module, "
                f"such as {next((name for name, _ in network.named_modules() if name), 'none')}"
            )
        self.network, self.layer = network, layer

    def forward(self, images: Image) -> Tensor:
        if isinstance(self.layer, str):
            told = output_of(find_layer(self.network, self.layer), self.network, images)
        else:
            assert isinstance(self.network, OfBlocks)  # of the constructor
            told = self.network.tokens(images, self.layer)
        if told.ndim not in (3, 4):
            raise UserError(
                f"layer: {self.layer} says {tuple(told.shape)}, which has no places; take one that says (B,C,H,W) or "
                "tokens (B,N,C)"
            )
        tokens = told.flatten(2).mT if told.ndim == 4 else told
        return at_least_float32(tokens).mT @ at_least_float32(tokens)
