"""Time, memory, and what is said where there is not enough of it."""

from __future__ import annotations

import json
import pickle
import time

import pytest
import torch

from callbacks.network_time import NetworkTime
from dsg.data.batches import Batch
from dsg.data.examples import Examples
from dsg.data.folder import ImageFolder
from dsg.module.device import peak_memory, reset_peak_memory, seconds_on
from tests.gpu.toys import Heavy

MIB = 2**20


def test_the_networks_time_is_the_wall_clocks_where_there_is_nothing_else(device):
    size, depth, calls = (4096, 40, 10) if device.type == "cuda" else (256, 20, 10)
    network, state = Heavy(size, depth).to(device), torch.ones(size, size, device=device, requires_grad=True)
    torch.autograd.grad(network(state).sum(), state)  # warm
    watch = NetworkTime([network], device)
    started = seconds_on(device)
    for _ in range(calls):
        torch.autograd.grad(network(state).sum(), state)
    wall = seconds_on(device) - started
    inside = watch.take()
    watch.close()
    assert 0.5 * wall < inside <= 1.02 * wall


def test_the_host_does_not_wait_while_time_is_taken(gpu):
    network, state = Heavy(4096, 40).to(gpu), torch.ones(4096, 4096, device=gpu)
    network(state)
    watch = NetworkTime([network], gpu)
    started = seconds_on(gpu)
    for _ in range(10):
        network(state)
    given = time.perf_counter() - started
    assert given < 0.5 * (seconds_on(gpu) - started)
    watch.close()


def test_the_peak_holds_what_was_there_and_is_gone(device):
    reset_peak_memory(device)
    before = peak_memory(device)
    block = torch.ones(256 * MIB, dtype=torch.uint8, device=device)
    del block
    after = peak_memory(device)
    assert before is not None
    assert after is not None
    assert after >= 256 * MIB if device.type != "cpu" else after >= before


def test_a_run_tells_seconds_and_the_peak_of_its_device(evaluate_on, tmp_path, device):
    evaluate_on()
    timing = json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]
    assert timing["network_seconds"] > 0
    assert timing["other_seconds"] > 0
    assert 0 < timing["peak_memory_mib"] < (1000 if device.type == "cuda" else 1e6)


def test_want_of_memory_is_one_line(evaluate, device, capsys):
    accelerator = "gpu" if device.type == "cuda" else device.type
    hungry = ("--model.score_model.class_path", "tests.gpu.toys.Hungry", "--trainer.accelerator", accelerator)
    assert evaluate(*hungry) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("unavailable: ")]
    assert line.startswith("error: out of memory; finished images are kept: not one image fits on ")


@pytest.mark.parametrize("pinned", [False, True])
def test_a_batch_arrives_whole_from_pinned_memory_too(device, pinned):
    if pinned and device.type != "cuda":
        pytest.skip("pinned memory is a GPU's")
    images = torch.arange(3 * 64 * 64 * 8, dtype=torch.float32).reshape(8, 3, 64, 64)
    sent = Batch([(str(i), 0) for i in range(8)], Examples(images.pin_memory() if pinned else images), [])
    there = sent.to(device)
    assert there.keys == sent.keys
    assert there.examples.images is not None
    assert torch.equal(there.examples.images.cpu(), images)


def test_what_goes_to_reading_processes_holds_nothing_of_the_device(evaluate_on, settings):
    """A tensor of a GPU that is sent to a process opens a context of CUDA in it, and hundreds of MiB."""
    evaluate_on("--data.num_workers", 1)
    data = ImageFolder(str(settings.parent / "images"), 16)
    data.keys()
    assert b"cuda" not in pickle.dumps(data)
