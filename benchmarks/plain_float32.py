"""The plain way to run a guided-diffusion network, to measure against: what no setting here does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dsg.models.adm import ADM


class _Recompute(torch.autograd.Function):
    """Keeps no activation: the backward runs the block again, and asks for the gradients of its weights too."""

    @staticmethod
    def forward(ctx: Any, block: nn.Module, x: Tensor, *weights: Tensor) -> Tensor:
        ctx.block, ctx.weights = block, weights
        ctx.save_for_backward(x)
        with torch.no_grad():
            return block(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            output = ctx.block(x)
        return (None, *torch.autograd.grad(output, (x, *ctx.weights), gradients))


class _Attention(nn.Module):
    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        return _Recompute.apply(self.attention, x, *self.attention.parameters())


def plain_float32(model: ADM) -> ADM:
    """The same network with weights that require gradients and attention that is computed again in the backward."""
    from diffusers.models.attention_processor import Attention

    for module in list(model.network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Attention):
                setattr(module, name, _Attention(child))
    return model.requires_grad_(True)
