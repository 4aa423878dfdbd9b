"""The network through `torch.compile`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dsg.models.engines.base import answer_of
from dsg.models.engines.plain import Plain
from dsg.types import State


class Compiled(Plain):
    """The network compiled for one batch size at a time, in the precision that the Trainer gives it.

    The first batch waits for the compiler, a minute or two; another batch size, as of a last batch, for once more. What
    was compiled is kept in the folder of TORCHINDUCTOR_CACHE_DIR, where the next start of the same run finds it.

    Args:
        mode: of `torch.compile`: `default`, `reduce-overhead` (CUDA graphs) or `max-autotune`.
        channels_last: as of `Plain`.
        backend: of `torch.compile`.
    """

    def __init__(
        self,
        mode: Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] = "default",
        channels_last: bool = False,
        backend: str = "inductor",
    ) -> None:
        super().__init__(channels_last)
        self.mode, self.backend = mode, backend
        self._compiled: Callable[..., Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_compiled": None}  # what was compiled belongs to this process

    def forget(self) -> None:
        self._compiled = None

    def run(self, network: nn.Module, x_t: State, times: Tensor, condition: object) -> State:
        if self._compiled is None:
            modes = {} if self.mode == "default" else {"mode": self.mode}
            self._compiled = torch.compile(network, backend=self.backend, dynamic=False, **modes)  # type: ignore[call-overload]
        return answer_of(self._compiled, self.state_for(network, x_t), times, condition).clone()
