"""Each worker of a comparison gets a GPU of its own, by whatever names the environment has for them."""

from __future__ import annotations

import os
import queue

import pytest
import torch

from dsg.comparison import devices, run
from dsg.comparison.run import _begin_worker, default_workers


@pytest.fixture
def machine(monkeypatch):
    """A machine on which torch finds `count` GPUs, with the environment's list of those that are shown."""

    def there_are(count: int, shown: str | None, variable: str = "CUDA_VISIBLE_DEVICES") -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
            monkeypatch.setenv(name, "to be put back")
            monkeypatch.delenv(name)
        if shown is not None:
            monkeypatch.setenv(variable, shown)

    return there_are


@pytest.mark.parametrize(
    ("count", "shown", "names"),
    [
        (0, None, []),
        (0, "", []),  # nothing is shown
        (0, "-1", []),
        (2, None, ["0", "1"]),
        (2, "3, 5", ["3", "5"]),
        (1, "3,-1,5", ["3"]),
        (2, "GPU-8932f937,GPU-1a2b3c4d", ["GPU-8932f937", "GPU-1a2b3c4d"]),
        (1, "MIG-aaaa,MIG-bbbb", ["MIG-aaaa", "MIG-bbbb"]),  # CUDA shows the first slice alone
    ],
)
def test_the_gpus_are_those_that_are_shown_by_the_names_that_show_them(machine, count, shown, names):
    machine(count, shown)
    assert devices.gpus() == names
    assert default_workers() == max(1, len(names))


def test_amds_own_variable_goes_first(machine, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.0")
    machine(2, "4,7", "HIP_VISIBLE_DEVICES")
    assert devices.gpus() == ["4", "7"]
    devices.use_gpu("7")
    assert os.environ["HIP_VISIBLE_DEVICES"] == "7"


@pytest.mark.parametrize(("gpu", "seen"), [("GPU-8932f937", "GPU-8932f937"), (None, None)])
def test_a_worker_takes_the_gpu_that_it_is_told_and_asks_cuda_nothing(machine, monkeypatch, gpu, seen):
    machine(8, None)

    def asked():  # without NVML this fixes what the process sees, before the environment can say it
        raise AssertionError("the worker has asked for the number of GPUs")

    monkeypatch.setattr(torch.cuda, "device_count", asked)
    places: queue.Queue = queue.Queue()
    places.put(gpu)
    threads = torch.get_num_threads()
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(run, "tell_sharing", lambda *counts: told.append(counts))
    try:
        _begin_worker(places, 5, 2)
    finally:
        torch.set_num_threads(threads)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == seen
    assert told == [(5, 3)]


def test_the_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 3, 7}, raising=False)
    assert devices.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS and Windows
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert devices.cores() == 6
