"""What the processes of a run hear of each other, by a store that is really there."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
import torch.distributed as dist

from callbacks.processes import store as processes


class Process:
    """A trainer, as far as the processes' account of each other reads it."""

    world_size = 3
    default_root_dir = "runs/mine"

    def __init__(self, rank: int) -> None:
        self.global_rank, self.is_global_zero = rank, rank == 0


@pytest.fixture
def meeting(monkeypatch):
    """The store of the first process, and what the environment says of it."""
    server = dist.TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=5), wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(server.port))
    monkeypatch.delenv(processes.FIRST, raising=False)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    return [server]


def test_the_first_process_hears_when_all_others_have_finished(meeting):
    first, second, third = (Process(rank) for rank in range(3))
    for process in (first, second, third):
        processes.meet(process)
    assert not processes.all_have_finished(first)
    processes.report_finished(second)
    assert not processes.all_have_finished(first)
    processes.report_finished(third)
    assert processes.all_have_finished(first)
    processes.wait_for_others(first)  # and does not wait


def test_an_attempt_that_torchrun_makes_again_is_counted_by_itself(meeting, monkeypatch):
    first, second = Process(0), Process(1)
    first.world_size = 2
    processes.report_finished(second)
    assert processes.all_have_finished(first)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert not processes.all_have_finished(first)


@pytest.mark.parametrize("parent", ["", "there", "another"])
def test_another_process_notices_that_the_first_is_gone(meeting, monkeypatch, parent):
    """By its store, also where a process keeps the number of a parent that is gone, as on Windows."""
    if parent:
        monkeypatch.setenv(processes.FIRST, str(os.getppid() if parent == "there" else os.getppid() + 1))
    second = Process(1)
    processes.meet(second)
    assert bool(processes.first_is_gone(second)) == (parent == "another")
    meeting.clear()  # and with it the server
    assert processes.first_is_gone(second) == "the first process of this run is gone"
    processes.report_finished(second)  # which nobody hears
    assert processes.first_is_gone(Process(0)) == (
        "the first process of this run is gone" if parent == "another" else ""
    )
