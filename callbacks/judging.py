"""How a judge looks at samples: at what their files hold, in float32, without a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dsg.models.precision import full_float32
from dsg.module import BatchResult, SamplingModule
from dsg.types import State


@contextmanager
def judging(module: SamplingModule, outputs: BatchResult) -> Iterator[State]:
    """The samples as their files hold them, so 8-bit pictures, for a network that is asked inside this block; what is
    not finite is 0 there, so that it spoils no neighbour.
    """
    with torch.no_grad(), torch.autocast(module.device.type, enabled=False), full_float32():
        yield module.model.medium.as_kept(outputs.samples.nan_to_num())
