"""Shape vocabulary. `B` is the batch, `*shape` a score model's state (3,H,W for images)."""

import torch
from jaxtyping import Float
from torch import Tensor

State = Float[Tensor, "B *shape"]
Image = Float[Tensor, "B C H W"]
PerSample = Float[Tensor, " B"]


def at_least_float32(x: Tensor) -> Tensor:
    """x in float32, or in its own precision where that is better."""
    return x if x.dtype.itemsize >= 4 else x.float()


def per_sample_norm(x: State) -> PerSample:
    """Euclidean norm of every sample, ‖x_b‖₂, (B, *shape) → (B,), in float32 or better."""
    return at_least_float32(x).flatten(1).norm(dim=1)


def expand_to(values: PerSample, like: State) -> Tensor:
    """(B,) → (B, 1, ..., 1), so that one number per sample multiplies a state of `like`'s rank."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def direction(x: State) -> State:
    """x_b/‖x_b‖₂, (B, *shape); zero for a zero sample. Scaled first, so that no square over- or underflows."""
    largest = expand_to(x.flatten(1).abs().amax(dim=1), x)
    scaled = x / torch.where(largest > 0, largest, 1)
    norm = expand_to(per_sample_norm(scaled), x)
    return scaled / torch.where(norm > 0, norm, 1)
