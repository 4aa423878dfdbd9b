"""The network in fused blocks, in half precision."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.engines.graphs import Graphs
from dsg.models.engines.plain import Plain
from dsg.models.engines.scaled import ScaledBackward
from dsg.models.precision import bfloat16_gains
from dsg.types import State

Call = Callable[..., Tensor]
Precision = Literal["auto", "float16", "bfloat16", "float32"]


class Fused(Plain):
    """The same function in fused blocks: norm, scale, shift and SiLU are one operation, so are the ends of blocks.

    Known are the networks of guided-diffusion (`ADM`), `UNet2DModel`s of diffusers with its common blocks, and the
    portraits' `UNet`. Another network runs as it is, which is said once. Whatever `trainer.precision` says of
    autocast, weights and activations have the engine's precision; statistics of norms, the state, losses and steps are
    float32. The weights have to be float32, as of `trainer.precision` 32-true.

    Where a sample's state is finite and its answer in float16 is not, it is asked of the network as it is, in float32:
    `forward_overflows` counts how often.

    Args:
        precision: of convolutions and activations. `float16` keeps three digits, as TF32 does; its backward is scaled
            by a power of two for each sample, which changes no digit. `bfloat16` keeps two. `auto` is float16 on a
            GPU, bfloat16 on a CPU that multiplies it faster (AMX, or AVX512-bf16 of AMD), and float32 on others.
        graphs: record the kernels of a pass as a CUDA graph and replay them, so that a small batch does not wait for
            their launches; null is on a GPU. A batch size is recorded when it comes for the second time.
        recomputed: number of resolutions, from the finest, whose blocks are computed again in the backward instead of
            being kept: less memory, for one more forward pass through them.

    Raises:
        UserError: if `recomputed` is negative.
    """

    def __init__(self, precision: Precision = "auto", graphs: bool | None = None, recomputed: int = 0) -> None:
        super().__init__(channels_last=False)
        if recomputed < 0:
            raise UserError(f"engine: Fused.recomputed is a number of resolutions, 0 or more, got {recomputed}")
        self.precision: Precision = precision
        self.graphs, self.recomputed = graphs, recomputed
        self.scaled = ScaledBackward()
        self.forward_overflows = 0
        self._dtype: torch.dtype | None = None
        self._made: tuple[nn.Module, torch.device, Call | None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_made": None}  # the next process makes its own

    def notes(self, network: nn.Module) -> list[str]:
        from dsg.models.fused import why_not
        from dsg.models.fused.operations import kernels

        if (reason := why_not(network)) is not None:
            return [f"engine: Fused does not know {reason}; the network runs as it is"]
        if torch.cuda.is_available() and kernels() is None:
            return ["engine: Triton is not installed; Fused computes norms by torch's own operations, which copy"]
        return []

    def forget(self) -> None:
        if self._made is not None and isinstance(self._made[2], Graphs):
            self._made[2].forget()
        self._made, self.scaled.overflows, self.forward_overflows = None, 0, 0

    def summary(self) -> dict[str, object]:
        if self._made is None or self._made[2] is None:
            return {}
        return {
            "engine_precision": str(self._dtype).removeprefix("torch."),
            "overflows": self.scaled.overflows,
            "forward_overflows": self.forward_overflows,
        }

    def run(self, network: nn.Module, x_t: State, times: Tensor, condition: object) -> State:
        call = self._call_for(network, x_t.device)
        if call is None:
            return super().run(network, x_t, times, condition)
        # Triton launches on the current device, wherever its arguments are
        there = torch.cuda.device(x_t.device) if x_t.is_cuda else nullcontext()
        with there, torch.autocast(x_t.device.type, enabled=False):
            answer = self.scaled(lambda x: call(x, times, condition), x_t)
            if not self.scaled.active:
                return answer
            over = _finite(x_t) & ~_finite(answer)
            if not over.any():  # read from the device, as after a pass back
                return answer
            rows = over.nonzero().squeeze(1)
            self.forward_overflows += len(rows)
            told = condition[rows] if isinstance(condition, Tensor) else condition
            return answer.index_copy(0, rows, super().run(network, x_t[rows], times[rows], told).to(answer.dtype))

    def dtype_on(self, device: torch.device) -> torch.dtype:
        """The precision there.

        Raises:
            UserError: if the device computes nothing in it.
        """
        if self.precision == "auto":
            return _fastest(device)
        dtype: torch.dtype = getattr(torch, self.precision)
        if device.type == "cpu" and dtype == torch.float16:
            raise UserError("engine: Fused.precision float16 is of a GPU; set bfloat16, float32 or auto on a CPU")
        if device.type == "cuda" and dtype == torch.bfloat16 and not torch.cuda.is_bf16_supported(False):
            raise UserError("engine: this GPU has no bfloat16; set Fused.precision to float16 or auto")
        return dtype

    def _call_for(self, network: nn.Module, device: torch.device) -> Call | None:
        made = self._made
        if made is None or made[0] is not network or made[1] != device:
            made = self._made = (network, device, self._make(network, device))
        return made[2]

    def _make(self, network: nn.Module, device: torch.device) -> Call | None:
        from dsg.models.fused import NotFusible, fuse

        dtype = self._dtype = self.dtype_on(device)
        try:
            fused = fuse(network, dtype)
        except NotFusible:  # which `notes` says
            return None
        if (weights := next(network.parameters())).dtype.itemsize < 4:
            raise UserError(
                f"engine: Fused has a precision of its own and needs weights of float32, found {weights.dtype}; set "
                "trainer.precision to 32-true"
            )
        fused.recomputed = self.recomputed
        self.scaled.active = dtype == torch.float16
        graphs = device.type == "cuda" if self.graphs is None else self.graphs
        return Graphs(fused) if graphs else fused


def _finite(x: State) -> Tensor:
    """Of each sample, (B,)."""
    return x.detach().flatten(1).isfinite().all(dim=1)


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if device.type == "cpu" and bfloat16_gains(device) else torch.float32
