"""What trainings of score models repeat: batches of what lies in memory, and the loop over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .timed import Average, Timed

LOG_EVERY = 50


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


def learn(
    run: Timed,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average,
    loss_of: Callable[[], Tensor],
    state: Callable[[], dict[str, Any]] | None = None,
    save_every: float = 240.0,
    going: Callable[[], bool] = lambda: True,
) -> None:
    """Steps of the optimizer on the loss of one batch after the other, until the run ends.

    Args:
        run: says when that is, keeps log and checkpoint, and knows the processes whose gradients are averaged.
        network: the one that learns.
        optimizer: of its parameters; their gradient's norm is cut at 1.
        average: of its weights.
        loss_of: the loss of the next batch.
        state: what a checkpoint holds, written every `save_every` seconds; None writes none.
        save_every: see `state`.
        going: ends this start alone where it is false.
    """
    losses = []
    while going() and run.goes_on(optimizer):
        loss = loss_of()
        loss.backward()
        run.replicas.average_gradients(network.parameters())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update(run.step - 1)
        losses.append(loss.detach())
        if run.step % LOG_EVERY == 0:
            run.log(loss=torch.stack(losses).mean().item())
            losses.clear()
        if state is not None and run.step % LOG_EVERY == 0:
            run.save(state(), save_every)
