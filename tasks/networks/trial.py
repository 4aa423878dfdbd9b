"""Asking a network that somebody named about grey pictures, before anything hangs on its answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsg.errors import UserError, first_line


def weights_like(network: nn.Module, otherwise: Tensor) -> Tensor:
    """A tensor with the device and type of a network's weights; `otherwise` where it has none."""
    return next((p for p in network.parameters() if p.is_floating_point()), otherwise)


@torch.no_grad()
def answer_to_grey(network: nn.Module, shape: tuple[int, ...], option: str, advice: str) -> Tensor:
    """What a network answers to two grey images of `shape` (C,H,W): a tensor of two finite rows.

    Args:
        network: is put into evaluation mode.
        option: what an error calls it.
        advice: what to do where it refuses such images.

    Raises:
        UserError: if it refuses them, or answers with anything else.
    """
    name = type(network).__name__
    images = torch.zeros(2, *shape)
    try:
        answer = network.eval()(images.to(weights_like(network, images)))
    except UserError as error:
        raise UserError(f"{option}: {error}") from None
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError, AttributeError) as error:
        reason = first_line(error, 120)
        raise UserError(f"{option}: {name} cannot take images of shape {tuple(shape)} ({reason}); {advice}") from error
    if not isinstance(answer, Tensor) or answer.ndim < 2 or len(answer) != 2:
        found = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise UserError(
            f"{option}: {name} must answer two images with a tensor of two rows, got {found}; wrap it in a module that "
            "returns that alone"
        )
    if not answer.isfinite().all():
        raise UserError(f"{option}: {name} answers a grey image with numbers that are not finite; check its weights")
    return answer
