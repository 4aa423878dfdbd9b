"""One training in several processes, each with its share of the batch; alone it is as if this were not here.

    python -m torch.distributed.run --nproc_per_node 2 -m benchmarks.portraits.train_autoencoder ...

On few cores two processes of one thread are faster than one process of two threads: they meet once a step.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn


class Replicas:
    """The processes of this training: `rank` of `count`."""

    def __init__(self, device: torch.device) -> None:
        self.rank, self.count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        self.device = device
        if self.count > 1:
            if device.type == "cuda":
                torch.cuda.set_device(self.rank)
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Each gradient becomes its mean over the processes, so that all take the same step."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient) / self.count)

    def of_the_first(self, value: float) -> float:
        """What the first process says, in all of them."""
        if self.count == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return float(told)

    def seed(self, step: int) -> Tensor:
        """A seed for the noise of this start and process."""
        return torch.tensor(1_000_003 * self.rank + step)
