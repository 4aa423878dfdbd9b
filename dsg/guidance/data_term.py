"""The squared loss of a clean image, for methods that descend it outside the network."""

from __future__ import annotations

from dsg.process import ReverseProcess
from dsg.types import PerSample, State, expand_to


def data_term(x: State, process: ReverseProcess) -> tuple[PerSample, State]:
    """L(x, y), (B,), and ∇_x ½ L² = L ∇L, (B, *shape), which is Aᵀ(A x − y) for a linear task. No network is asked."""
    loss, gradient = process.clean_loss_gradient(x)
    return loss, expand_to(loss, x) * gradient
