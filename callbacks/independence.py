"""A judge that the sampler does not follow: a sample can fool the network that it follows."""

from __future__ import annotations

import torch
from torch import nn

from dsg.errors import UserError
from dsg.module import SamplingModule


def check_independent(judge: nn.Module, module: SamplingModule, option: str) -> None:
    """Raise UserError if `judge` has the weights of a network that the task, the combiner or the guidance asks.

    Args:
        option: what the error calls the judge.
    """
    followed = [*module.task_networks, *module.combiner_networks, *module.guidance_networks]
    if any(_same_weights(judge, network) for network in followed):
        raise UserError(
            f"{option}: it has the weights of a network that the sampler follows, which a sample can fool; take "
            "another one"
        )


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have the same learned weights; closed forms have none."""
    own, others = list(one.state_dict().values()), list(other.state_dict().values())
    return (
        bool(own)
        and len(own) == len(others)
        and all(a.shape == b.shape and torch.equal(a.cpu(), b.cpu()) for a, b in zip(own, others, strict=True))
    )
