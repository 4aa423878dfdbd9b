"""A training that ends with its time, in one start or in several."""

from __future__ import annotations

import csv
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .replicas import Replicas


class Timed:
    """What every start of a training shares: its step, its seconds, its rate, its log and its checkpoint.

    Args:
        out: folder of `checkpoint.pt` and `log_<name>.csv`.
        name: of the training.
        time_limit: seconds of training, all starts together, from each one's first step on. The rate falls to 0 as they
            run out (cosine).
        rate: the largest learning rate, after `warm_up` steps of every start.
        replicas: the processes; the first alone writes.
        steps: ends it too, all starts together.
    """

    def __init__(
        self,
        out: Path,
        name: str,
        time_limit: float,
        rate: float,
        replicas: Replicas,
        warm_up: int = 200,
        steps: float = math.inf,
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.checkpoint, self.log_file = out / "checkpoint.pt", out / f"log_{name}.csv"
        self.time_limit, self.rate, self.warm_up, self.replicas, self.steps = time_limit, rate, warm_up, replicas, steps
        self.saved: dict[str, Any] = {}
        if self.checkpoint.exists():
            self.saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.step: int = self.saved.get("step", 0)
        self.spent: float = self.saved.get("seconds", 0.0)
        self._first_step, self._last_save = self.step, time.monotonic()
        self._began: float | None = None
        device = replicas.device
        self._device = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {os.cpu_count()} cores"

    @property
    def seconds(self) -> float:
        """Of training, all starts together."""
        return self.spent + (0.0 if self._began is None else time.monotonic() - self._began)

    def goes_on(self, optimizer: torch.optim.Optimizer) -> bool:
        """Whether there is time for another step, whose rate the optimizer then has."""
        self._began = time.monotonic() if self._began is None else self._began
        progress = self.replicas.of_the_first(max(self.seconds / self.time_limit, self.step / self.steps))
        rise = min(1.0, (self.step - self._first_step + 1) / self.warm_up)
        self.now = self.rate * rise * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
        for group in optimizer.param_groups:
            group["lr"] = self.now
        self.step += progress < 1.0
        return progress < 1.0

    def log(self, **values: float) -> None:
        """A line of the log, and of the screen."""
        if self.replicas.rank > 0:
            return
        row = {"step": self.step, "seconds": f"{self.seconds:.0f}", "lr": f"{self.now:.2e}"}
        row |= {name: f"{value:.5f}" for name, value in values.items()} | {"device": self._device}
        new = not self.log_file.exists()
        with self.log_file.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)

    def save(self, state: dict[str, Any], every: float = 0.0) -> None:
        """Write the checkpoint, unless the last is younger than `every` seconds."""
        if self.replicas.rank > 0 or time.monotonic() - self._last_save < every:
            return
        part = self.checkpoint.with_suffix(".tmp")
        torch.save({**state, "step": self.step, "seconds": self.seconds}, part)
        part.replace(self.checkpoint)
        self._last_save = time.monotonic()


class Average:
    """The exponential moving average of a network's weights; young ones forget faster, since the first are noise."""

    def __init__(self, network: nn.Module, decay: float, saved: dict[str, torch.Tensor] | None = None) -> None:
        self.live, self.decay = network.state_dict(), decay
        self.weights = {name: weight.clone() for name, weight in self.live.items()}
        for name, weight in (saved or {}).items():
            self.weights[name].copy_(weight)

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, mean in self.weights.items():
            if mean.is_floating_point():
                mean.lerp_(self.live[name], 1.0 - decay)
