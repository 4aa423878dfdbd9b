"""How steep the squared residual of a measurement can be, for methods that descend it with a step of their own."""

from __future__ import annotations

import torch

from dsg.process import ReverseProcess
from dsg.types import Image, PerSample, State, direction, per_sample_norm
from tasks.operators import LinearOperator

ITERATIONS = 10
REACH = 1e-2
"""How far from a latent, a number of it, the decoder is looked at: a difference that bf16 still shows."""


def steepness(process: ReverseProcess, state: State) -> PerSample:
    """ℓ², (B,) float64: `squared_norm`, and 1 where that is less."""
    return squared_norm(process, state).clamp(min=1.0)


def squared_norm(process: ReverseProcess, state: State) -> PerSample:
    """‖A‖², (B,) float64, found once a batch; or of latents that of A∘D at the first `state` asked for."""
    if not process.score_model.has_decoder:
        norm = operator_norm(process)
    else:
        if "decoded norm" not in process.memory:
            process.memory["decoded norm"] = _decoded_norm(process, state)
        norm = process.memory["decoded norm"]
    return norm.double() ** 2


def operator_norm(process: ReverseProcess) -> PerSample:
    """‖A‖, (B,), found once a batch."""
    if "operator norm" not in process.memory:
        process.memory["operator norm"] = process.measurement.operator.norm(process.measurement.y)
    return process.memory["operator norm"]


def _decoded_norm(process: ReverseProcess, state: State) -> PerSample:
    """‖A J‖₂, (B,), with the Jacobian J of the decoder at `state`, where A is linear, and ‖A‖ ‖J‖ where it is not.

    By power iterations from what the picture there lacks of y, or from the picture. J v is a difference of two
    pictures, so that the decoder needs no forward derivative.
    """
    operator, y = process.measurement.operator, process.measurement.y
    is_linear = isinstance(operator, LinearOperator)
    z = state.detach().requires_grad_()
    with torch.enable_grad():
        image = process.decode(z)
        here = operator.forward(image) if is_linear else image
    seen = here.detach()
    u = direction(y - seen if is_linear else seen)
    length = REACH * z[0].numel() ** 0.5
    norm = torch.zeros(len(z), dtype=z.dtype, device=z.device)
    for _ in range(ITERATIONS):
        (pulled,) = torch.autograd.grad(here, z, u, retain_graph=True)
        v = direction(pulled)
        stretched = (_seen(process.decode(z.detach() + length * v), process, is_linear) - seen) / length
        norm = per_sample_norm(stretched)
        u = direction(stretched)
    process.decoder_backwards += ITERATIONS - 1  # the first was counted when it was decoded
    return norm if is_linear else norm * operator_norm(process).to(norm)


def _seen(image: Image, process: ReverseProcess, is_linear: bool) -> State:
    return process.measurement.operator.forward(image) if is_linear else image
