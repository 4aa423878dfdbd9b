"""What trainings repeat: batches of what lies in memory, and the loop over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dsg.models.precision import bfloat16_gains

from .timed import Average, Timed

LOG_EVERY = 50
Told = tuple[Tensor, dict[str, Tensor]]


class Batches:
    """Endless shuffled batches from bytes that already lie on the device."""

    def __init__(self, images, labels, batch_size, device):
        self.images, self.labels = torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
        self.size, self.at = batch_size, 0
        self.order = torch.empty(0, dtype=torch.long, device=device)

    def next(self):
        if self.at + self.size > len(self.order):
            self.order, self.at = torch.randperm(len(self.images), device=self.images.device), 0
        pick = self.order[self.at : self.at + self.size]
        self.at += self.size
        return self.images[pick].float() / 127.5 - 1.0, self.labels[pick].long()


def mixed(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16, where that is faster than float32; elsewhere a context that changes nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_gains(device))


def learn(
    run: Timed,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[], Tensor | Told],
    average: Average | None = None,
    state: Callable[[], dict[str, Any]] | None = None,
    save_every: float = 240.0,
    largest_norm: float | None = 1.0,
    log_every: int = LOG_EVERY,
    going: Callable[[], bool] = lambda: True,
) -> None:
    """Steps of the optimizer on the loss of one batch after the other, until the run ends.

    Args:
        run: says when that is, keeps log and checkpoint, and knows the processes whose gradients are averaged.
        optimizer: of the parameters that learn.
        loss_of: the loss of the next batch; or it, and by their names the numbers that the log has instead.
        average: of the network's weights; None keeps none.
        state: what a checkpoint holds, written every `save_every` seconds; None writes none.
        save_every: see `state`.
        largest_norm: what the norm of the gradient is cut at; None does not cut.
        log_every: steps between two lines of the log, which hold the means since the last.
        going: ends this start alone where it is false.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    told: dict[str, list[Tensor]] = {}
    while going() and run.goes_on(optimizer):
        found = loss_of()
        loss, values = found if isinstance(found, tuple) else (found, {"loss": found})
        loss.backward()
        run.replicas.average_gradients(parameters)
        if largest_norm is not None:
            nn.utils.clip_grad_norm_(parameters, largest_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if average is not None:
            average.update(run.step - 1)
        for name, value in values.items():
            told.setdefault(name, []).append(value.detach())
        if run.step % log_every == 0:
            run.log(**{name: torch.stack(since).mean().item() for name, since in told.items()})
            told.clear()
            if state is not None:
                run.save(state(), save_every)
