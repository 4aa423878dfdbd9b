"""Shape vocabulary. `B` is the batch, `*shape` a score model's state (3,H,W for images)."""

from jaxtyping import Float
from torch import Tensor

State = Float[Tensor, "B *shape"]
Image = Float[Tensor, "B C H W"]
PerSample = Float[Tensor, " B"]


def per_sample_norm(x: State) -> PerSample:
    """Euclidean norm of every sample, ‖x_b‖₂, (B, *shape) → (B,), in float32 or better."""
    x = x if x.dtype.itemsize >= 4 else x.float()
    return x.flatten(1).norm(dim=1)


def expand_to(values: PerSample, like: State) -> Tensor:
    """(B,) → (B, 1, ..., 1), so that one number per sample multiplies a state of `like`'s rank."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
