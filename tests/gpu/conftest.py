"""The device of the lane, and the same evaluation on it and on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.launch import results

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session")
def device(pytestconfig) -> torch.device:
    """Where the test computes; what it is compared with is on the CPU."""
    device = torch.device(pytestconfig.getoption("device"))
    if device.type != "cpu" and not torch.get_device_module(device).is_available():
        pytest.skip(f"torch finds no {device.type} device on this machine; --device cpu tries the test itself")
    return device


@pytest.fixture
def gpu(device) -> torch.device:
    """The same, for what has no meaning on a CPU."""
    if device.type != "cuda":
        pytest.skip(f"is of a GPU alone, and --device is {device}")
    return device


@pytest.fixture
def two_gpus(gpu) -> None:
    if (count := torch.cuda.device_count()) < 2:
        pytest.skip(f"takes two GPUs, and there is {count}")


@pytest.fixture
def evaluate_on(evaluate, device, tmp_path) -> Callable:
    """Run the command line on the device or, with `on="cpu"`, there: rows, pictures and metrics."""

    def run(*options, into: str = "run", on: str = ""):
        accelerator = "cpu" if "cpu" in (on, device.type) else "mps" if device.type == "mps" else "gpu"
        devices = f"[{device.index}]" if device.index and accelerator == "gpu" else "1"
        there = ("--trainer.accelerator", accelerator, "--trainer.devices", devices)
        assert evaluate(*there, *options, into=into) == 0
        return results(tmp_path / into)

    return run
