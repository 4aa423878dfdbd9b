"""Timing by turns: whatever slows the machine slows both sides."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch


def median_seconds(actions: Sequence[Callable[[], object]], rounds: int, device: str) -> list[float]:
    """Median time of each action over `rounds`, run in turn, after one round that is not counted."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds + 1):
        for measured, action in zip(times, actions, strict=True):
            measured.append(_seconds(action, device))
    return [statistics.median(measured[1:]) for measured in times]


def _seconds(action: Callable[[], object], device: str) -> float:
    _wait(device)
    started = time.perf_counter()
    action()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
