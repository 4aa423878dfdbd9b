"""The squared loss of a clean image, for methods that descend it outside the network."""

from __future__ import annotations

import torch

from dsg.process import ReverseProcess
from dsg.types import PerSample, State, expand_to


def data_term(x: State, process: ReverseProcess) -> tuple[PerSample, State]:
    """L(x, y), (B,), and ∇_x ½ L² = L ∇L, (B, *shape), which is Aᵀ(A x − y) for a linear task. No network is asked."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        loss = process.loss(x)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
    return loss.detach(), expand_to(loss.detach(), x) * gradient
